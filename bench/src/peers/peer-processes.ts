import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { identifiedTree, signalAll } from "../process-tree.ts";

const END_LIMIT_MS = 15_000;

/**
 * The servers that a benchmark has started. However it ends, by an error or by Ctrl-C, each of them ends with all that it has started, and its folder goes.
 */
export class PeerProcesses {
  readonly #running = new Map<ChildProcess, string | undefined>();
  readonly #onExit = (): void => this.#endAll();
  readonly #onSignal = (): never => process.exit(130);

  constructor() {
    process.on("exit", this.#onExit);
    process.on("SIGINT", this.#onSignal);
    process.on("SIGTERM", this.#onSignal);
  }

  /** Takes charge of a process and its folder; what it returns ends both, and may be called again. */
  watch(child: ChildProcess, folder: string | undefined): () => Promise<void> {
    this.#running.set(child, folder);
    return async () => {
      if (!this.#running.has(child)) return;
      await endTree(child);
      this.#forget(child);
    };
  }

  /** No longer takes care of the end of this process; to be called when nothing runs any more. */
  close(): void {
    process.off("exit", this.#onExit);
    process.off("SIGINT", this.#onSignal);
    process.off("SIGTERM", this.#onSignal);
  }

  #endAll(): void {
    for (const child of this.#running.keys()) {
      if (child.pid !== undefined) signalAll(identifiedTree(child.pid), "SIGKILL");
      this.#forget(child);
    }
  }

  #forget(child: ChildProcess): void {
    const folder = this.#running.get(child);
    this.#running.delete(child);
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Asks a process to end, and kills what is left of it and of what it has started. */
async function endTree(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  const tree = identifiedTree(child.pid);
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    signalAll(tree, "SIGCONT");
    child.kill("SIGTERM");
    const timer = setTimeout(() => signalAll(identifiedTree(child.pid!), "SIGKILL"), END_LIMIT_MS);
    await ended;
    clearTimeout(timer);
  }
  signalAll(tree, "SIGKILL");
}
