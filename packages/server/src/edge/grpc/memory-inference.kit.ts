import { setTimeout as delay } from "node:timers/promises";
import { abortSignalOf } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { RequestHead } from "../../base/request-head.ts";
import type { TensorSpec } from "../../base/signature.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import type { Inference } from "../../infer/inference.ts";
import { StatisticsCounters } from "../../models/model-statistics.ts";
import { SETTINGS } from "../../models/models.kit.ts";

type Compute = (
  request: InferRequest,
  held: (request: InferRequest) => Promise<void>,
) => NamedTensor[] | Promise<NamedTensor[]>;

const SPEC: TensorSpec = { name: "x", datatype: "FP32", dims: [{ symbol: "n", min: 1, max: undefined }, 2] };

/** Models that run inside the test: every edge test computes real answers through the real port. */
const MODELS: Readonly<Record<string, Compute>> = {
  /** y = 2x + 1 */
  affine: ({ inputs }) => {
    const [x] = inputs;
    if (x?.datatype !== "FP32") {
      throw new ServeError("invalid_argument", 'input "x" must be FP32', { reason: "bad_datatype" });
    }
    const view = new DataView(x.bytes.buffer, x.bytes.byteOffset, x.bytes.byteLength);
    const y = new Float32Array(x.bytes.byteLength / 4);
    for (let i = 0; i < y.length; i++) y[i] = 2 * view.getFloat32(i * 4, true) + 1;
    return [{ name: "y", datatype: "FP32", shape: x.shape, bytes: new Uint8Array(y.buffer) }];
  },
  /** Gives back what it gets. */
  identity: ({ inputs }) => [...inputs],
  /** Answers after the parameter `delay_ms`, or never once the signal fired. */
  slow: async ({ inputs, parameters, signal }) => {
    await delay(Number(parameters.get("delay_ms") ?? 0), undefined, { signal: abortSignalOf(signal) });
    return [...inputs];
  },
  /** Answers when the test says `release`, or never once the signal fired. */
  held: async (request, held) => {
    await held(request);
    return [...request.inputs];
  },
  /** Fails as a full queue does. */
  busy: () => {
    throw new ServeError("unavailable", "the queue is full", { reason: "queue_full", retryAfterMs: 12.5 });
  },
  /** Has no room before it knows what for: never gets here. */
  full: () => {
    throw new TypeError("it was asked all the same");
  },
  /** Fails with something that is not ours. */
  broken: () => {
    throw new TypeError("secret /home/path");
  },
};

export interface MemoryInference extends Inference {
  /** Requests that arrived, and how many of them are running now. */
  readonly started: InferRequest[];
  running: number;
  peak: number;
  ready: boolean;
  /** Lets `held` answer the request with this id; without an id all that it holds, and from now on it holds none. */
  release(id?: string): void;
  /** What the model `full` says to requests that it has only seen the head of. */
  reject(head: RequestHead): ServeError | undefined;
}

export function memoryInference(): MemoryInference {
  let isOpen = false;
  const waiting = new Set<{ readonly id: string | undefined; readonly answer: () => void }>();
  const held = ({ id, signal }: InferRequest): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      if (isOpen) resolve();
      waiting.add({ id, answer: resolve });
      signal.addEventListener("abort", { handleEvent: () => reject(signal.reason) });
    });
  const self: MemoryInference = {
    started: [],
    running: 0,
    peak: 0,
    ready: true,
    release(id) {
      if (id === undefined) isOpen = true;
      for (const one of waiting) if (id === undefined || one.id === id) one.answer();
    },
    reject: ({ tenant, deadlineMs }) =>
      new ServeError("unavailable", `no room for ${tenant}${deadlineMs === undefined ? "" : " in time"}`, {
        reason: "queue_full",
        retryAfterMs: 12.5,
      }),
    serverMetadata: () => ({ name: "sconce", version: "0.1.0", extensions: ["binary_tensor_data"] }),
    isLive: () => true,
    isReady: () => self.ready,
    isModelReady: (name) => modelOf(name) !== undefined && self.ready,
    presence: (name) => (name in MODELS ? "live" : "absent"),
    modelWorkers: async () => ({
      loadedAtMs: 0,
      workers: [{ pid: 1, residentBytes: 12, isReady: true }],
      waitingRequests: 0,
    }),
    door: (name) => {
      modelOf(name);
      return name === "full" ? { rejectEarly: (head) => self.reject(head) } : undefined;
    },
    modelMetadata(name) {
      modelOf(name);
      return { name, versions: ["1"], platform: "memory", inputs: [SPEC], outputs: [{ ...SPEC, name: "y" }] };
    },
    acquireInputs: async (name) => {
      modelOf(name);
      return [SPEC];
    },
    modelConfiguration(name, version) {
      const { platform, inputs, outputs } = self.modelMetadata(name, version);
      const settings = { ...SETTINGS, preferredBatchSizes: [8, 16], maxQueueDelayMs: 1.5 };
      return {
        name,
        version: version ?? "1",
        platform,
        runtime: "js",
        inputs,
        outputs,
        settings,
        isBatching: true,
      };
    },
    modelStatistics: (name = "affine", version = "1") => [
      new StatisticsCounters(() => 0).read({ name, version, memoryBytes: 12 }),
    ],
    modelNames: () => Object.keys(MODELS),
    rolloutStatus: () => undefined,
    index: () =>
      Object.keys(MODELS).map((name) =>
        name === "broken"
          ? { name, version: "1", state: "UNAVAILABLE", reason: "it is broken" }
          : { name, version: "1", state: "READY", reason: "" },
      ),
    loadedInputs: () => undefined,
    submit(request, receiver) {
      self.infer(request).then(
        (response) => receiver.resolve(response),
        (error: Error) => receiver.reject(error),
      );
    },
    async infer(request): Promise<InferResponse> {
      const compute = modelOf(request.model);
      self.started.push(request);
      self.peak = Math.max(self.peak, ++self.running);
      try {
        const { timeline } = request;
        timeline.enqueuedMs = timeline.claimedMs = timeline.dispatchedMs = performance.now();
        const outputs = await compute(request, held);
        timeline.answeredMs = performance.now();
        timeline.computeMs = timeline.answeredMs - timeline.dispatchedMs;
        const { model, id } = request;
        return { model, version: "1", id, outputs, parameters: new Map(), batchRows: 1 };
      } finally {
        self.running--;
      }
    },
  };
  return self;
}

function modelOf(name: string): Compute {
  const compute = Object.hasOwn(MODELS, name) ? MODELS[name] : undefined;
  if (compute === undefined)
    throw new ServeError("not_found", `there is no model "${name}"`, { reason: "model_not_found" });
  return compute;
}
