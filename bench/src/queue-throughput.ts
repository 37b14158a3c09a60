/**
 * What the scheduler costs per request: instances that answer at once from a fixed block, so that all time is the queue's own.
 * `node bench/dist/queue-throughput.js`, about three seconds.
 */
import { systemClock } from "../../packages/server/dist/base/clock.js";
import type { InferRequest } from "../../packages/server/dist/base/infer-request.js";
import type { Instance } from "../../packages/server/dist/base/instance.js";
import { submitTo } from "../../packages/server/dist/base/result-receiver.js";
import type { Signature } from "../../packages/server/dist/base/signature.js";
import { Timeline } from "../../packages/server/dist/base/timeline.js";
import { completeQueueConfig } from "../../packages/server/dist/queue/queue-config.js";
import { type QueueObserver, silentObserver } from "../../packages/server/dist/queue/queue-observer.js";
import { createScheduler } from "../../packages/server/dist/queue/scheduler.js";

const signature: Signature = {
  inputs: [{ name: "image", datatype: "FP32", dims: [{ symbol: "n", min: 1, max: undefined }, 1, 8, 8] }],
  outputs: [{ name: "probabilities", datatype: "FP32", dims: [{ symbol: "n", min: 1, max: undefined }, 10] }],
  batching: { kind: "on", symbol: "n", maxRows: undefined },
};
const image = new Uint8Array(256);
const block = new Uint8Array(64 * 40);

/** Answers after a turn of the event loop, like a socket would. */
function instance(id: string): Instance {
  return {
    id,
    state: { kind: "ready" },
    residentBytes: async () => undefined,
    run(request) {
      const rows = request.inputs[0]!.shape[0]!;
      const result = {
        outputs: [{ datatype: "FP32" as const, shape: [rows, 10], bytes: block.subarray(0, rows * 40) }],
        computeMs: 0,
      };
      return new Promise((resolve) => setImmediate(() => resolve(result)));
    },
  };
}

interface Variant {
  readonly name: string;
  /** Who makes the signal: one per connection is enough when a connection has one request at a time (HTTP/1.1). */
  readonly signal: "connection" | "request";
  readonly hasDeadline: boolean;
  readonly pipelineDepth: number;
}

/** `clients` loops that each send their next request when the last is answered; microseconds of CPU per request. */
async function measure(
  variant: Variant,
  clients: number,
  forMs: number,
): Promise<{ us: number; batch: number }> {
  const config = completeQueueConfig(
    { maxBatchSize: 32, pipelineDepth: variant.pipelineDepth },
    signature,
    1,
  );
  let runs = 0;
  const observer: QueueObserver = { ...silentObserver, runFinished: () => runs++ };
  const scheduler = createScheduler({
    signature,
    config,
    instances: [instance("0")],
    observer,
    clock: systemClock,
  });
  const endMs = performance.now() + forMs;
  let count = 0;
  const client = async () => {
    const connection = new AbortController().signal;
    while (performance.now() < endMs) {
      const nowMs = performance.now();
      const request: InferRequest = {
        model: "digits",
        version: undefined,
        id: undefined,
        inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], bytes: image }],
        outputs: undefined,
        parameters: new Map(),
        priority: 0,
        deadlineMs: variant.hasDeadline ? nowMs + 30_000 : undefined,
        signal: variant.signal === "request" ? new AbortController().signal : connection,
        timeline: new Timeline(nowMs),
      };
      await submitTo(scheduler, request);
      count += 1;
    }
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: clients }, client));
  const used = process.cpuUsage(before);
  await scheduler.close();
  return { us: (used.user + used.system) / count, batch: count / runs };
}

/** What the loop itself costs: the same request objects and promises, without a scheduler. */
async function baseline(clients: number, forMs: number, hasSignal: boolean): Promise<number> {
  const endMs = performance.now() + forMs;
  let count = 0;
  let waiting: (() => void)[] = [];
  const flush = () => {
    const ready = waiting;
    waiting = [];
    for (const resolve of ready) resolve();
  };
  const client = async () => {
    while (performance.now() < endMs) {
      const timeline = new Timeline(performance.now());
      const signal = hasSignal ? new AbortController().signal : undefined;
      const inputs = [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], bytes: image }];
      await new Promise<unknown>((resolve) => {
        if (waiting.length === 0) setImmediate(flush);
        waiting.push(() => resolve({ timeline, signal, inputs, parameters: new Map() }));
      });
      count += 1;
    }
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: clients }, client));
  const used = process.cpuUsage(before);
  return (used.user + used.system) / count;
}

const variants: readonly Variant[] = [
  { name: "signal per connection", signal: "connection", hasDeadline: false, pipelineDepth: 1 },
  { name: "signal per connection, deadlines", signal: "connection", hasDeadline: true, pipelineDepth: 1 },
  {
    name: "signal per connection, deadlines, depth 2",
    signal: "connection",
    hasDeadline: true,
    pipelineDepth: 2,
  },
  { name: "signal per request, deadlines", signal: "request", hasDeadline: true, pipelineDepth: 1 },
];
await measure(variants[2]!, 32, 300);
await baseline(32, 100, true);
for (const variant of variants) {
  const bare = await baseline(32, 150, variant.signal === "request");
  const { us, batch } = await measure(variant, 32, 450);
  console.log(
    `${variant.name.padEnd(48)} ${(us - bare).toFixed(2)} µs per request (${us.toFixed(2)} with the load loop's ${bare.toFixed(2)}), mean batch ${batch.toFixed(1)}`,
  );
}
