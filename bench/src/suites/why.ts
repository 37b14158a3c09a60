import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";
import { FILE_CAUSES } from "../why/file-causes.ts";
import { type Judgement, judgeFile, judgeLive } from "../why/judge-cause.ts";
import { ABSENT_CAUSES, LIVE_CAUSES } from "../why/live-causes.ts";
import type { WhyCause } from "../why/why-cause.ts";

const CAUSES: readonly WhyCause[] = [...FILE_CAUSES, ...LIVE_CAUSES, ...ABSENT_CAUSES];
const HEALTHY = "healthy";

/** Whether `sconce why` names the cause of servers that are slow for one reason, and what the change that it names gains. */
export const why: Suite = {
  summary:
    "servers that are slow for one reason each: at which place sconce why names it, and what its change gains, as a ratio of measurements in turn (--only CAUSE)",
  async run(print, { only, isQuick }) {
    const results: Judgement[] = [];
    const chosen = CAUSES.filter(({ id = HEALTHY }) => only === undefined || id.includes(only));
    if (chosen.length === 0)
      throw new Error(
        `no cause is called ${only}; there are: ${CAUSES.map(({ id = HEALTHY }) => id).join(", ")}`,
      );
    const window = isQuick ? "2s" : "6s";
    for (const cause of chosen) {
      const folder = mkdtempSync(join(tmpdir(), "sconce-bench-why-"));
      try {
        const judgement = await judged(cause, folder, window);
        results.push(judgement);
        print(`${judgement.cause}: ${judgement.said}`);
      } catch (error) {
        print(`${cause.id ?? HEALTHY}: ${error instanceof Error ? error.message : String(error)}`);
        results.push({ cause: cause.id ?? HEALTHY, place: "failed", gain: "–", first: "–", said: "" });
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
    print(table(results.map(({ said: _, ...row }) => row)));
    return results;
  },
};

async function judged(cause: WhyCause, folder: string, window: string): Promise<Judgement> {
  if (cause.kind === "file") return judgeFile(cause, folder, window);
  if (cause.kind === "live") return judgeLive(cause, folder, window);
  return { cause: cause.id, place: "not set up", gain: "–", first: "–", said: cause.why };
}
