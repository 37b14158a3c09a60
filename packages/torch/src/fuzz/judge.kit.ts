import { ModelFileError } from "../errors.ts";
import type { FuzzTarget } from "./targets.kit.ts";

/** One input may take this much processor time (a busy machine is not a finding); a mutated file is small, so anything near it is a loop over a number that the file made up. */
export const MAX_MS: number = 1_000;
/** … and make the process grow by this much. */
export const MAX_GROWTH_BYTES: number = 256 * 2 ** 20;

/** What is wrong with how a target took an input; undefined when it answered or threw a ModelFileError in time. */
export function judgeInput(target: FuzzTarget, bytes: Uint8Array): string | undefined {
  const before = process.memoryUsage.rss();
  const start = process.cpuUsage();
  let problem: string | undefined;
  try {
    target.run(bytes);
  } catch (error) {
    if (!(error instanceof ModelFileError)) {
      problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
  }
  const { user, system } = process.cpuUsage(start);
  const ms = (user + system) / 1_000;
  if (problem !== undefined) return problem;
  if (ms > MAX_MS) return `took ${Math.round(ms)} ms`;
  const growth = process.memoryUsage.rss() - before;
  return growth > MAX_GROWTH_BYTES ? `grew the process by ${Math.round(growth / 2 ** 20)} MiB` : undefined;
}
