import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { faultCode } from "../base/file-fault.ts";

/** That a folder is used by one process: a file that says which. */
export interface Lease {
  release(): void;
}

const MAX_TRIES = 8;

/** Takes a folder's lease; undefined: a process that lives has it. */
export function takeLease(path: string): Lease | undefined {
  const own = holder(process.pid);
  for (let i = 0; i < MAX_TRIES; i += 1) {
    if (create(path, own)) return { release: () => rmSync(path, { force: true }) };
    const other = read(path);
    if (other !== undefined && isAlive(other)) return undefined;
    if (other !== undefined) removeStale(path, other);
  }
  return undefined;
}

/** Whether a process that lives has the lease. */
export function isLeased(path: string): boolean {
  const other = read(path);
  return other !== undefined && isAlive(other);
}

/** Whole or not at all: a lease without a holder would belong to nobody. */
function create(path: string, own: string): boolean {
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  writeFileSync(draft, own, { flag: "wx", mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (faultCode(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Another process may have done the same meanwhile, and hold it: what was taken away is looked at again. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    renameSync(path, aside);
    if (read(aside) !== stale) linkSync(aside, path);
  } catch {
    // Somebody else was faster.
  } finally {
    rmSync(aside, { force: true });
  }
}

function isAlive(other: string): boolean {
  const pid = Number(other.split(" ")[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (faultCode(error) !== "EPERM") return false;
  }
  return holder(pid) === other;
}

/** A process by its number and, where the system says so, when it started: numbers come again, in containers at once. */
function holder(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const startedAt = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${pid} ${startedAt} ${boot}`;
  } catch {
    return String(pid);
  }
}
