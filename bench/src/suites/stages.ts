import { median } from "../median.ts";
import { type StageCase, stageCases } from "../stage-cases.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const ROUNDS = 9;
const ROUND_CALLS = 5000;
const WARM_UP_CALLS = 30_000;
/** So few that nothing is collected between the two looks at the heap. */
const COUNTED_CALLS = 500;

interface StageResult {
  readonly protocol: string;
  readonly stage: string;
  readonly ns: number;
  readonly bytes: number;
  readonly budgetNs: number;
}

/** Each stage of a small request's way alone, in this process: what the code costs without sockets, wake-ups and cold caches. */
export const stages: Suite = {
  summary:
    "digits, one row: processor time and bytes allocated per request of each stage alone, beside its budget",
  async run(print) {
    const cases = await stageCases();
    for (const { once } of cases) for (let i = 0; i < WARM_UP_CALLS; i++) once();
    const times = new Map<StageCase, number[]>(cases.map((one) => [one, []]));
    for (let round = 0; round < ROUNDS; round++)
      for (const one of cases) times.get(one)!.push(nanosecondsOf(one.once));
    const results = cases.map((one): StageResult => {
      const { protocol, stage, once, budgetNs } = one;
      return { protocol, stage, ns: median(times.get(one)!), bytes: bytesOf(once), budgetNs };
    });
    print(
      table(
        results.map(({ protocol, stage, ns, bytes, budgetNs }) => ({
          protocol,
          stage,
          ns: String(Math.round(ns)),
          bytes: String(bytes),
          "budget, ns": String(budgetNs),
          "": ns > budgetNs ? "over" : "",
        })),
      ),
    );
    return results;
  },
};

function nanosecondsOf(once: () => unknown): number {
  const before = process.cpuUsage();
  for (let i = 0; i < ROUND_CALLS; i++) once();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / ROUND_CALLS;
}

/** Bytes on the heap per call; memory outside of it is pooled. */
function bytesOf(once: () => unknown): number {
  const counts: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < COUNTED_CALLS; i++) once();
    counts.push((process.memoryUsage().heapUsed - before) / COUNTED_CALLS);
  }
  return Math.round(median(counts));
}
