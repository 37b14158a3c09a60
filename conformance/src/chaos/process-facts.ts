import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const TICKS_PER_SECOND = 100;
/** TCP_LISTEN in /proc/net/tcp. */
const LISTENING = "0A";

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

const SAMPLE_MS = 50;

/** Looks at a process's memory now and then; `stop` says by how many bytes the most of it was above the base (default: now). */
export function watchMemory(pid: number, baseBytes: number = residentBytes(pid)): { stop(): number } {
  let peak = baseBytes;
  const timer = setInterval(() => {
    peak = Math.max(peak, residentBytes(pid));
  }, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      return peak - baseBytes;
    },
  };
}

export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The same without the connections of clients to a port, which come and go as clients like. */
export function ownFiles(pid: number, port: number): number {
  const connections = new Set(["tcp", "tcp6"].flatMap((table) => connectionsTo(pid, table, port)));
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => !connections.has(targetOf(`/proc/${pid}/fd/${fd}`)))
    .length;
}

/** As `socket:[inode]`. */
function connectionsTo(pid: number, table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readFileSync(`/proc/${pid}/net/${table}`, "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(suffix) && state !== LISTENING)
    .map((fields) => `socket:[${fields[9]}]`);
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}

/** Processor time used so far, by the process alone. */
export function processorMs(pid: number): number {
  const fields = statOf(pid);
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** Processes whose parent is `pid`. */
export function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => {
      try {
        return Number(statOf(other)[1]) === pid;
      } catch {
        return false;
      }
    });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The fields of /proc/pid/stat after the command's name: state, parent, … */
function statOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}
