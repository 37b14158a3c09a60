import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Clock, timerDelayMs } from "../../base/clock.ts";
import { STAGES } from "../../base/timeline.ts";
import { type Arrivals, type Drive, driveClosed, driveOpen } from "./drive.ts";
import type { LoadLevel } from "./load-levels.ts";
import {
  createRecorder,
  isStable,
  mergeWindows,
  type Recorder,
  STABLE_WINDOWS,
  type Window,
} from "./recorder.ts";
import type { Sender } from "./sender.ts";

/** Latencies of answered requests, in milliseconds. */
export interface Latencies {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What one level of load gave. */
export interface Measurement {
  readonly level: LoadLevel;
  /** Three windows agreed; otherwise the time or the requests ran out first, and all windows are in the figures. */
  readonly isStable: boolean;
  readonly seconds: number;
  readonly answered: number;
  readonly perSecond: number;
  /** How many failed in which way. */
  readonly failures: Readonly<Record<string, number>>;
  readonly latencyMs: Latencies;
  /** Percentile and milliseconds, for a plot. */
  readonly curve: readonly (readonly [percentile: number, ms: number])[];
  /** Mean milliseconds that the server reports by stage; undefined where its answers do not say. */
  readonly stageMs: Readonly<Record<string, number>> | undefined;
  readonly client: ClientLimits;
}

/** Whether the client itself was a limit. */
export interface ClientLimits {
  /** Processor time of this process by elapsed time: at 1 it can send no faster. */
  readonly cpuShare: number;
  /** 99th percentile of how late its event loop was, in milliseconds. */
  readonly loopLateMs: number;
  /** Mean time by which requests were sent after they should have been, with a connection free. */
  readonly sentLateMs: number;
  /** Requests that waited for a connection at the end. */
  readonly waiting: number;
  /** Requests that were never sent because too many waited. */
  readonly dropped: number;
}

export interface MeasureOptions {
  openSender(): Sender;
  readonly clock: Clock;
  random(): number;
  readonly arrival: Arrivals["spacing"];
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly stability: number;
  readonly durationMs: number;
  readonly maxRequests: number;
}

const CURVE = [0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.99, 100];
const US_PER_MS = 1000;
const NS_PER_MS = 1e6;
const LOOP_RESOLUTION_MS = 10;

/**
 * Loads the target at one level until the figures are stable or the limits are met, and no shorter than until the first reply: no time is
 * too short for a slow server. Closes what it opened.
 */
export async function measure(level: LoadLevel, options: MeasureOptions): Promise<Measurement> {
  const senders = Array.from({ length: level.connections }, () => options.openSender());
  const recorder = createRecorder();
  const parts = { senders, recorder, clock: options.clock };
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  try {
    const drive =
      level.kind === "closed"
        ? driveClosed(parts)
        : driveOpen(parts, { rate: level.rate, spacing: options.arrival, random: options.random });
    await sleep(options.warmUpMs);
    recorder.next(0);
    loop.enable();
    const cpuBefore = process.cpuUsage();
    const startMs = options.clock.nowMs();
    const windows = await gather(drive, recorder, options);
    const elapsedMs = options.clock.nowMs() - startMs;
    const { user, system } = process.cpuUsage(cpuBefore);
    loop.disable();
    const { waiting, dropped, lateMs } = drive.behind();
    await drive.stop();
    const stable = isStable(windows, options.stability);
    return {
      level,
      isStable: stable,
      ...figures(mergeWindows(stable ? windows.slice(-STABLE_WINDOWS) : windows)),
      client: {
        cpuShare: (user + system) / US_PER_MS / elapsedMs,
        loopLateMs: Math.max(0, finite(loop.percentile(99) / NS_PER_MS) - LOOP_RESOLUTION_MS),
        sentLateMs: lateMs,
        waiting,
        dropped,
      },
    };
  } finally {
    for (const sender of senders) sender.close();
  }
}

async function gather(drive: Drive, recorder: Recorder, options: MeasureOptions): Promise<Window[]> {
  const { clock, windowMs, durationMs, maxRequests, stability } = options;
  const windows: Window[] = [];
  let replies = 0;
  const startMs = clock.nowMs();
  const sentBefore = drive.sent();
  let fromMs = startMs;
  const hasEnough = (): boolean => drive.sent() - sentBefore >= maxRequests;
  for (;;) {
    await sleepUntil(() => hasEnough(), Math.min(windowMs, startMs + durationMs - fromMs));
    const isLast = clock.nowMs() - startMs >= durationMs;
    if (isLast && replies === 0) await sleepUntil(() => recorder.replies() > 0);
    replies += recorder.replies();
    const nowMs = clock.nowMs();
    windows.push(recorder.next((nowMs - fromMs) / 1000));
    fromMs = nowMs;
    if (isStable(windows, stability) || nowMs - startMs >= durationMs || hasEnough()) return windows;
  }
}

function figures(
  all: Window,
): Pick<Measurement, "seconds" | "answered" | "perSecond" | "failures" | "latencyMs" | "curve" | "stageMs"> {
  const { latencies, answered, seconds, sampled } = all;
  const at = (percentile: number): number =>
    answered === 0
      ? 0
      : percentile === 0
        ? latencies.min / US_PER_MS
        : latencies.percentile(percentile) / US_PER_MS;
  return {
    seconds,
    answered,
    perSecond: answered / seconds,
    failures: Object.fromEntries(all.failures),
    latencyMs: {
      mean: answered === 0 ? 0 : latencies.mean / US_PER_MS,
      p50: at(50),
      p90: at(90),
      p95: at(95),
      p99: at(99),
      p999: at(99.9),
      max: at(100),
    },
    curve: CURVE.map((percentile) => [percentile, at(percentile)] as const),
    stageMs:
      sampled === 0
        ? undefined
        : Object.fromEntries(STAGES.map((stage, i) => [stage, all.stageMs[i]! / sampled] as const)),
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timerDelayMs(ms)));
}

/** At most this long; looks every few milliseconds whether it is over before. */
async function sleepUntil(isOver: () => boolean, ms = Number.POSITIVE_INFINITY): Promise<void> {
  const endMs = performance.now() + ms;
  for (let leftMs = ms; leftMs > 0 && !isOver(); leftMs = endMs - performance.now()) {
    await sleep(Math.min(leftMs, LOOP_RESOLUTION_MS));
  }
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}
