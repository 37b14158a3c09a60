import { type Profiler, Session } from "node:inspector";

/** Which blocks of our code have run, told by V8's own counters. */
export interface Coverage {
  /** Whether anything ran since the last call that never ran before. */
  hasGrown(): boolean;
  readonly blocks: number;
  close(): void;
}

export function startCoverage(): Coverage {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  const seen = new Set<string>();
  return {
    get blocks() {
      return seen.size;
    },
    hasGrown() {
      const before = seen.size;
      // In-process sessions answer before post returns.
      session.post("Profiler.takePreciseCoverage", (_, { result }) => noteBlocks(result, seen));
      return seen.size > before;
    },
    close: () => session.disconnect(),
  };
}

function noteBlocks(scripts: readonly Profiler.ScriptCoverage[], seen: Set<string>): void {
  for (const { url, scriptId, functions } of scripts) {
    if (!url.includes("/torch/dist/") || url.includes("/dist/fuzz/")) continue;
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        if (count > 0) seen.add(`${scriptId}:${startOffset}:${endOffset}`);
      }
    }
  }
}
