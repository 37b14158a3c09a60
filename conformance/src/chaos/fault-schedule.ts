import { monotonicMs, sleep } from "./monotonic.ts";
import type { Random } from "./random.ts";

/** Something that can go wrong while a server serves, and is over when `run` resolves. */
export interface Fault {
  readonly name: string;
  /** Faults with the same subject do not happen at the same time: two at once would be a fault of another kind. */
  readonly subject: string;
  /** What did not go as it should, in words; empty: nothing. */
  run(): Promise<string>;
}

export interface ScheduleResult {
  /** How often each fault happened. */
  readonly counts: ReadonlyMap<string, number>;
  readonly complaints: readonly string[];
}

/** Lets faults happen for as long as this, several at a time, each a random while after the one before; which ones, the seed decides. */
export async function runSchedule(
  faults: readonly Fault[],
  options: {
    readonly durationMs: number;
    readonly pauseMs: readonly [number, number];
    readonly random: Random;
  },
): Promise<ScheduleResult> {
  const { durationMs, pauseMs, random } = options;
  const counts = new Map(faults.map(({ name }) => [name, 0]));
  const complaints: string[] = [];
  const busy = new Map<string, Promise<void>>();
  const begin = (fault: Fault): void => {
    counts.set(fault.name, counts.get(fault.name)! + 1);
    const running = fault
      .run()
      .then((complaint) => {
        if (complaint !== "") complaints.push(`${fault.name}: ${complaint}`);
      })
      .finally(() => busy.delete(fault.subject));
    busy.set(fault.subject, running);
  };
  const endMs = monotonicMs() + durationMs;
  let round: Fault[] = [];
  while (monotonicMs() < endMs) {
    // All of them before any for the second time, so that a short schedule has them all.
    if (round.length === 0) round = shuffled(faults, random);
    const next = round.findIndex(({ subject }) => !busy.has(subject));
    const [fault] = next < 0 ? [] : round.splice(next, 1);
    if (fault !== undefined) begin(fault);
    await sleep(random.integer(...pauseMs));
  }
  await Promise.all(busy.values());
  return { counts, complaints };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const other = random.integer(0, i);
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  return order;
}
