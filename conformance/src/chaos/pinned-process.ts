import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

const TASKSET = "/usr/bin/taskset";

/** True when processes can be given a core each. */
export function canPin(): boolean {
  return availableParallelism() >= 2 && existsSync(TASKSET);
}

/**
 * Starts a compiled entry in a process of its own with a message channel; `core`: bound to that core, where the system can do it. So a
 * load generator does not take time from the server that it measures. `nodeFlags` are for Node itself, `enter` is put before
 * the whole command (see `Host`).
 */
export function startPinned(
  entry: string,
  args: readonly string[],
  options: {
    readonly core?: number | undefined;
    readonly openFiles?: number | undefined;
    readonly env?: Readonly<Record<string, string>>;
    readonly nodeFlags?: readonly string[];
    readonly enter?: readonly string[] | undefined;
  } = {},
): ChildProcess {
  const { core, openFiles, nodeFlags = [], enter = [] } = options;
  const node = [process.execPath, ...nodeFlags, fileURLToPath(new URL(entry, import.meta.url)), ...args];
  const pinned = core !== undefined && canPin() ? [TASKSET, "-c", String(core), ...node] : node;
  const limited =
    openFiles === undefined
      ? pinned
      : ["/bin/sh", "-c", `ulimit -n ${openFiles}; exec "$@"`, "sh", ...pinned];
  const [command, ...rest] = [...enter, ...limited];
  return spawn(command!, rest, {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...process.env, ...options.env },
  });
}
