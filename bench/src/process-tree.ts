import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Linux counts processor time in hundredths of a second. */
const TICK_MS = 10;
/** Longer than what is written to the disk at once takes. */
const IDLE_LOOK_MS = 1000;
const IDLE_LIMIT_MS = 30_000;

/** A process and all that it started, as pids. */
function processTree(pid: number): readonly number[] {
  return [pid, ...childPids(pid).flatMap(processTree)];
}

function childPids(pid: number): readonly number[] {
  return ended(() => readdirSync(`/proc/${pid}/task`), [])
    .flatMap((task) =>
      ended(() => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8"), "")
        .trim()
        .split(" "),
    )
    .filter((child) => child !== "")
    .map(Number);
}

/** What is read of a process; `otherwise` once it has ended. */
function ended<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

/** The fields of a process's `stat` from its state on; none once it has ended. */
function statOf(pid: number): readonly string[] {
  const text = ended(() => readFileSync(`/proc/${pid}/stat`, "utf8"), "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** Milliseconds of processor time that a process, its descendants, and those of them that have ended have taken so far. */
export function treeCpuMs(pid: number): number {
  return processTree(pid).reduce((sum, one) => {
    const times = statOf(one).slice(11, 15).map(Number);
    return sum + TICK_MS * times.reduce((ticks, more) => ticks + more, 0);
  }, 0);
}

/** One process, whoever has its pid later. */
interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string | undefined;
}

const START_FIELD = 19;

/** A process and all that it has started until now. */
export function identifiedTree(pid: number): readonly ProcessIdentity[] {
  return processTree(pid).map((one) => ({ pid: one, startTicks: statOf(one)[START_FIELD] }));
}

/** Sends a signal to those that still run. */
export function signalAll(processes: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
  for (const { pid, startTicks } of processes) {
    if (startTicks !== undefined && statOf(pid)[START_FIELD] === startTicks)
      ended(() => process.kill(pid, signal), false);
  }
}

/** Milliseconds that the machine's processors worked so far, for whomever, time that the host took from them included. */
export function machineCpuMs(): number {
  const [user, nice, system, , , irq, softIrq, steal] = readFileSync("/proc/stat", "utf8")
    .slice("cpu ".length)
    .trim()
    .split(" ")
    .map(Number) as [number, number, number, number, number, number, number, number];
  return TICK_MS * (user + nice + system + irq + softIrq + steal);
}

/** Milliseconds of processor time of this process and of the children of it that have ended. */
export function ownCpuMs(): number {
  const times = statOf(process.pid).slice(11, 15).map(Number);
  return TICK_MS * times.reduce((sum, ticks) => sum + ticks, 0);
}

/** Waits until a process and its descendants do nothing any more; throws when they do not come to rest. */
export async function untilIdle(pid: number, lookMs: number = IDLE_LOOK_MS): Promise<void> {
  const endMs = performance.now() + IDLE_LIMIT_MS;
  let before = treeCpuMs(pid);
  while (performance.now() < endMs) {
    await sleep(lookMs);
    const now = treeCpuMs(pid);
    if (now - before <= TICK_MS) return;
    before = now;
  }
  throw new Error(`process ${pid} still works ${IDLE_LIMIT_MS / 1000} s after its load has ended`);
}

/** Bytes of their proportional set size: shared pages count by the share that each process has in them. */
export function treePssBytes(pid: number): number {
  return processTree(pid).reduce((sum, one) => sum + pssBytes(one), 0);
}

/** The same of this process's children, without what those started. */
export function childrenPssBytes(): number {
  return childPids(process.pid).reduce((sum, pid) => sum + pssBytes(pid), 0);
}

function pssBytes(pid: number): number {
  const rollup = ended(() => readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "");
  return 1024 * Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? "0");
}

/** False once a process has ended and was waited for. */
export function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/task`);
}
