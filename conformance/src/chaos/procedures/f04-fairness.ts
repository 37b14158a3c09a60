import { maxOf, outcomesOf, publishCalibrated, streamsOf, sumOf } from "../calibration.ts";
import type { LoadStream, StreamResult } from "../load-plan.ts";
import { atLeast, atMost, exactly, type Procedure } from "../procedure.ts";

const TENANTS = 10;
const GREEDY_FACTOR = 20;
const MODEST_FACTOR = 0.5;
/** A busy machine does not have the capacity that arithmetic gives it. */
const SHORT_MODEST_FACTOR = 0.2;

/** F4: one tenant asks for twenty times its share, nine for half of theirs; the nine do not notice. */
export const fairness: Procedure = {
  id: "F4",
  title: "fairness between tenants",
  flags: ["--tenant-header=x-tenant"],
  prepare: (folder, calibration) => publishCalibrated(folder, "main", { calibration }),
  async run({ effort, load, calibration }) {
    const share = ((effort.isShort ? SHORT_MODEST_FACTOR : MODEST_FACTOR) * calibration.capacity) / TENANTS;
    const durationMs = effort.isShort ? 2_000 : effort.budgetMs / 2;
    const alone = await load(durationMs, modest(share));
    const beside = await load(durationMs, [...modest(share), ...greedy(calibration.capacity)]);
    const nine = streamsOf(beside, "modest");
    const tenth = streamsOf(beside, "greedy");
    const success = (outcomesOf(nine, /^ok$/) / sumOf(nine, (stream) => stream.offered)) * 100;
    const baseMs = meanP99(alone.streams);
    return [
      atLeast("success of the nine", success, { min: 99.9, unit: " %" }),
      atMost("p99 of the nine against without the tenth", meanP99(nine) / baseMs, {
        max: 2,
        unit: " ×",
        kind: "pace",
      }),
      atMost("worst p99 of one of them", maxOf(nine, "okMs"), { max: 3 * baseMs, unit: " ms", kind: "pace" }),
      atLeast("refusals of the tenth", outcomesOf(tenth, /queue_full/), { min: 1 }),
      exactly(
        "refusals that do not say when to come back",
        sumOf(tenth, (stream) => stream.unhinted),
        0,
      ),
      exactly(
        "wrong answers",
        sumOf(beside.streams, (stream) => stream.wrong),
        0,
      ),
    ];
  },
};

function modest(perSecond: number): LoadStream[] {
  return Array.from({ length: TENANTS - 1 }, (_, index) => ({
    name: `modest-${index}`,
    protocol: index % 2 === 0 ? ("rest" as const) : ("grpc" as const),
    model: "main",
    perSecond,
    connections: index % 2 === 0 ? 50 : 1,
    tenant: `tenant-${index}`,
  }));
}

function greedy(capacity: number): LoadStream[] {
  return (["rest", "grpc"] as const).map((protocol) => ({
    name: `greedy/${protocol}`,
    protocol,
    model: "main",
    perSecond: (GREEDY_FACTOR * capacity) / TENANTS / 2,
    connections: protocol === "rest" ? 300 : 2,
    tenant: "greedy",
  }));
}

function meanP99(streams: readonly StreamResult[]): number {
  return sumOf(streams, (stream) => stream.okMs.p99) / streams.length;
}
