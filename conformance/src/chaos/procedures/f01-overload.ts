import {
  bothProtocols,
  type Calibration,
  failuresOf,
  maxOf,
  outcomesOf,
  publishCalibrated,
  streamsOf,
  sumOf,
} from "../calibration.ts";
import { BIN_MS, type LoadStream, type StreamResult } from "../load-plan.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure } from "../procedure.ts";
import { residentBytes, watchMemory } from "../process-facts.ts";

const MIB = 1024 * 1024;
const SIDE_SHARE = 0.2;
const CONNECTIONS = 150;
/** Until a server at four fifths of its capacity grows no more. */
const WARM_UP_MS = 10_000;
const SHORT_WARM_UP_MS = 2_000;
/** Requests per second of a process that has nothing else to do: what it waits for is the server alone. */
const PROBE_PER_SECOND = 20;
const PROBE_CONNECTIONS = 8;

/** F1: many times more requests than can be run, four fifths of them for one model. */
export const overload: Procedure = {
  id: "F1",
  title: "overload",
  prepare(folder, calibration) {
    publishCalibrated(folder, "main", { calibration });
    publishCalibrated(folder, "side", { calibration });
  },
  async run({ server, effort, load, calibration }) {
    const factors = effort.isShort ? [5] : [2, 5, 10];
    await load(effort.isShort ? SHORT_WARM_UP_MS : WARM_UP_MS, streamsAt(0.8, calibration));
    const baseBytes = residentBytes(server.pid);
    const findings: Finding[] = [];
    for (const factor of factors) {
      const durationMs = Math.round(effort.budgetMs / factors.length);
      const memory = watchMemory(server.pid, baseBytes);
      const [{ streams }, probe] = await Promise.all([
        load(durationMs, streamsAt(factor, calibration)),
        // The short form judges no times, and has no processor to spare for another process.
        effort.isShort ? undefined : load(durationMs, probeStreams()),
      ]);
      const probes = probe?.streams ?? [];
      const grownMib = memory.stop() / MIB;
      findings.push(
        ...judge({ streams, probes }, { at: `${factor}×: `, durationMs, calibration }),
        atMost(`${factor}×: memory above the base`, grownMib, {
          max: effort.isShort ? 128 : 64,
          unit: " MiB",
        }),
      );
    }
    return findings;
  },
};

function streamsAt(factor: number, { capacity }: Calibration): LoadStream[] {
  const stream = (name: string, share: number): LoadStream[] =>
    bothProtocols({ name, model: name, perSecond: factor * capacity * share, connections: CONNECTIONS });
  return [...stream("main", 1), ...stream("side", SIDE_SHARE / (1 - SIDE_SHARE))];
}

/** Asks for the model that is refused most, beside the load and from a process of its own. */
function probeStreams(): LoadStream[] {
  return bothProtocols({
    name: "probe",
    model: "main",
    perSecond: PROBE_PER_SECOND,
    connections: PROBE_CONNECTIONS,
  });
}

interface Step {
  readonly at: string;
  readonly durationMs: number;
  readonly calibration: Calibration;
}

interface Seen {
  readonly streams: readonly StreamResult[];
  /** The same server, seen by the probe; none in the short form. */
  readonly probes: readonly StreamResult[];
}

function judge({ streams, probes }: Seen, { at, durationMs, calibration }: Step): Finding[] {
  const main = streamsOf({ streams }, "main");
  const { capacity, queueSize, serviceMs } = calibration;
  const goodput = (goodRows([...main, ...probes], durationMs) / capacity) * 100;
  const pace = "pace" as const;
  return [
    atLeast(`${at}goodput of ${capacity} rows/s`, goodput, { min: 95, unit: " %", kind: pace }),
    atLeast(`${at}goodput does not collapse`, goodput, { min: 20, unit: " %", kind: pace }),
    atLeast(`${at}answered all the same`, outcomesOf(streams, /^ok$/), { min: 1 }),
    atMost(`${at}answered, p99 (full queue + 2 × service)`, maxOf(main, "okMs"), {
      max: (queueSize * 1000) / capacity + 2 * serviceMs,
      unit: " ms",
      kind: pace,
    }),
    refusalTime(at, { streams, probes }),
    atLeast(`${at}refusals`, outcomesOf(streams, /^(503|14) /), { min: 1 }),
    exactly(
      `${at}refusals that do not say when to come back`,
      sumOf(streams, (s) => s.unhinted),
      0,
    ),
    exactly(
      `${at}neither answered nor refused`,
      failuresOf(streams, /^(ok|503 queue_full|14 queue_full)$/),
      0,
    ),
    exactly(
      `${at}wrong answers`,
      sumOf(streams, (s) => s.wrong),
      0,
    ),
    atMost(`${at}lag of the generator itself, p99`, maxOf(streams, "lagMs"), {
      max: 20,
      unit: " ms",
      kind: pace,
    }),
  ];
}

/** A generator of thousands of requests per second reads its answers late; the probe does not. */
function refusalTime(at: string, { streams, probes }: Seen): Finding {
  const byLoad = maxOf(streams, "refusedMs");
  const refused = probes.filter(({ refusedMs }) => refusedMs.count > 0);
  const ms = refused.length === 0 ? byLoad : maxOf(refused, "refusedMs");
  const finding = atMost(`${at}refused, p99`, ms, { max: 20, unit: " ms", kind: "pace" });
  return { ...finding, measured: `${finding.measured} (${Math.round(byLoad)} ms when the load read it)` };
}

/** Rows answered per second, without the first and the last half second, which are not steady. */
function goodRows(streams: readonly StreamResult[], durationMs: number): number {
  const [first, last] = [2, Math.floor(durationMs / BIN_MS) - 2];
  const rows = sumOf(streams, ({ bins }) =>
    bins.slice(first, last).reduce((sum, bin) => sum + bin.okRows, 0),
  );
  return rows / (((last - first) * BIN_MS) / 1000);
}
