import { systemClock, timerDelayMs } from "../../base/clock.ts";
import { readMachine } from "../../base/machine.ts";
import { type MetricsPage, metricsBetween, readMetrics, total } from "../../base/metrics-text.ts";
import { elementBytes } from "../../base/tensor.ts";
import { isLoopback } from "../../config/host-address.ts";
import {
  type Evidence,
  type EvidenceParts,
  type LoadEvidence,
  machineBetween,
  toEvidence,
} from "../../why/evidence.ts";
import { type Measurement, measure } from "../bench/measure.ts";
import { get, type ModelPorts } from "../bench/model-ports.ts";
import { openSenders } from "../bench/open-senders.ts";
import type { RequestBody } from "../bench/request-body.ts";
import type { Target } from "../bench/target.ts";
import { timeConnections } from "./time-connections.ts";

/** A bounded load. */
export interface Load {
  readonly body: RequestBody;
  readonly connections: number;
  readonly requests: number;
  readonly forMs: number;
}

const WINDOWS = 10;
const WARM_UP_MS = 200;
const TIMEOUT_MS = 30_000;
const STABILITY = 0.1;

/** Gathers what the server counts about a model during a load, or for a time while others use it. */
export async function observe(
  target: Target,
  how: { readonly load: Load | undefined; readonly windowMs: number },
  known: Pick<EvidenceParts, "threads" | "warmupRuns"> & {
    /** Asked when the window is over: the model may be loaded in it. */
    readonly ports: () => Promise<ModelPorts>;
  },
): Promise<Evidence> {
  const isHere = isLoopback(new URL(target.origin).hostname);
  const connectMs = await timeConnections(target.origin);
  const machineBefore = readMachine();
  const startMs = systemClock.nowMs();
  const before = await scrape(target);
  const measurement = how.load === undefined ? undefined : await runLoad(target, how.load);
  if (measurement === undefined)
    await new Promise((resolve) => setTimeout(resolve, timerDelayMs(how.windowMs)));
  const series = metricsBetween(before, await scrape(target));
  return toEvidence({
    name: target.model,
    elementBytes,
    series,
    seconds: (systemClock.nowMs() - startMs) / 1000,
    model: await known.ports(),
    threads: known.threads,
    warmupRuns: known.warmupRuns,
    connectMs,
    isFirst: total([...before.values()], "sconce_inferences_total", { model: target.model }) === 0,
    machine: isHere ? machineBetween(machineBefore, readMachine()) : undefined,
    load: measurement === undefined ? undefined : loadEvidence(measurement, target, how.load!),
  });
}

/** Puts a bounded load on a model. */
export function runLoad(target: Target, { body, connections, requests, forMs }: Load): Promise<Measurement> {
  return measure(
    { kind: "closed", connections },
    {
      openSender: openSenders(target, { body, timeoutMs: TIMEOUT_MS, expected: undefined }),
      clock: systemClock,
      random: Math.random,
      arrival: "constant",
      // Requests of the warm-up count on the server, where they are few beside the rest.
      warmUpMs: Math.min(WARM_UP_MS, forMs / WINDOWS),
      windowMs: forMs / WINDOWS,
      stability: STABILITY,
      durationMs: forMs,
      maxRequests: requests,
    },
  );
}

function loadEvidence(measured: Measurement, target: Target, load: Load): LoadEvidence {
  const { mean, p50, p99 } = measured.latencyMs;
  return {
    connections: load.connections,
    protocol: target.protocol,
    requestBytes: load.body.bytes.length,
    perSecond: measured.perSecond,
    meanMs: mean,
    p50Ms: p50,
    p99Ms: p99,
    failures: measured.failures,
  };
}

async function scrape({ origin, access }: Target): Promise<MetricsPage> {
  return readMetrics(await (await get(`${origin}/metrics`, access)).text());
}
