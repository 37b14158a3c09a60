import { bothProtocols, failuresOf, maxOf, publishCalibrated, streamsOf } from "../calibration.ts";
import { BIN_MS, type Bin, type StreamResult } from "../load-plan.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";

const BASE_LOAD = 0.7;
const RETRY_LOAD = 1.2;
const CONNECTIONS = 300;
const RECOVERY_MS = 2_000;

interface Burst {
  readonly what: string;
  readonly factor: number;
  readonly tries: number;
}

/** F2: after an overload the server is what it was before, and clients that retry cannot keep it down. */
export const recovery: Procedure = {
  id: "F2",
  title: "recovery after overload",
  prepare: (folder, calibration) => publishCalibrated(folder, "main", { calibration }),
  async run(rig) {
    return [
      ...(await recover(rig, {
        what: "a multiple of capacity",
        factor: rig.effort.isShort ? 5 : 10,
        tries: 1,
      })),
      ...(await recover(rig, { what: "1.2×, three tries each", factor: RETRY_LOAD, tries: 3 })),
    ];
  },
};

async function recover(rig: Rig, { what, factor, tries }: Burst): Promise<Finding[]> {
  const stepMs = rig.effort.isShort ? 1_000 : Math.min(10_000, rig.effort.budgetMs / 6);
  const endMs = 2 * stepMs + Math.max(stepMs, RECOVERY_MS + 500);
  const common = { model: "main", connections: CONNECTIONS };
  const result = await rig.load(endMs, [
    ...bothProtocols({ ...common, name: "steady", perSecond: BASE_LOAD * rig.calibration.capacity }),
    ...bothProtocols({
      ...common,
      name: "burst",
      perSecond: factor * rig.calibration.capacity,
      fromMs: stepMs,
      toMs: 2 * stepMs,
      tries,
    }),
  ]);
  const steady = streamsOf(result, "steady");
  const baseMs = Math.max(...binsOf(steady, 2 * BIN_MS, stepMs));
  const lastBad = binsOf(steady, 2 * stepMs, endMs).findLastIndex((p99Ms) => p99Ms > 1.1 * baseMs);
  const failures = failuresOf(result.streams, /^(ok|503 queue_full|14 queue_full)$/);
  return [
    atMost(`${what}: p99 back within 10 % of ${Math.round(baseMs)} ms`, (lastBad + 1) * BIN_MS, {
      max: RECOVERY_MS,
      unit: " ms",
      kind: "pace",
    }),
    atMost(`${what}: refused in the last second`, refusedAtEnd(steady, endMs), { max: 0, kind: "pace" }),
    atLeast(`${what}: answered in the last second`, answeredAtEnd(steady, endMs), { min: 1 }),
    exactly(`${what}: neither answered nor refused`, failures, 0),
    atMost(`${what}: lag of the generator itself, p99`, maxOf(result.streams, "lagMs"), {
      max: 20,
      unit: " ms",
      kind: "pace",
    }),
  ];
}

/** The worst p99 of the streams in each bin of a window. */
function binsOf(streams: readonly StreamResult[], fromMs: number, toMs: number): number[] {
  const first = Math.floor(fromMs / BIN_MS);
  return Array.from({ length: Math.floor((toMs - fromMs) / BIN_MS) }, (_, index) =>
    Math.max(...streams.map((stream) => stream.bins[first + index]?.p99Ms ?? 0)),
  );
}

function refusedAtEnd(streams: readonly StreamResult[], endMs: number): number {
  return lastSecond(streams, endMs).reduce((sum, bin) => sum + bin.refused, 0);
}

function answeredAtEnd(streams: readonly StreamResult[], endMs: number): number {
  return lastSecond(streams, endMs).reduce((sum, bin) => sum + bin.okRows, 0);
}

function lastSecond(streams: readonly StreamResult[], endMs: number): Bin[] {
  const end = Math.floor(endMs / BIN_MS);
  return streams.flatMap((stream) => stream.bins.slice(end - 1_000 / BIN_MS, end));
}
