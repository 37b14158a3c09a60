import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { Dim, TensorSpec } from "../../base/signature.ts";
import { elementBytes, elementCount, type NamedTensor } from "../../base/tensor.ts";
import type { Door, Inference } from "../../infer/inference.ts";
import { StatisticsCounters } from "../../models/model-statistics.ts";
import { SETTINGS } from "../../models/models.kit.ts";
import type { IndexEntry } from "../../models/registry.ts";

/** A model that is a function, for tests of an edge: inputs in, outputs out, in this process. */
export interface MemoryModel extends Partial<Door> {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  run(inputs: readonly NamedTensor[], request: InferRequest): NamedTensor[] | Promise<NamedTensor[]>;
}

/** An `Inference` over functions, which checks requests against signatures like the real one and stamps timelines. */
export function memoryInference(
  models: Readonly<Record<string, MemoryModel>>,
  broken: readonly IndexEntry[] = [],
): Inference {
  const find = (name: string, version: string | undefined): MemoryModel => {
    const model = Object.hasOwn(models, name) ? models[name] : undefined;
    if (model !== undefined && (version === undefined || version === "1")) return model;
    if (broken.some((entry) => entry.name === name))
      throw new ServeError("unavailable", `model "${name}" is not ready`);
    throw new ServeError(
      "not_found",
      model ? `"${name}" has no such version; it has 1` : "there is no such model",
    );
  };
  return {
    serverMetadata: () => ({ name: "sconce", version: "0.0.0", extensions: ["binary_tensor_data"] }),
    isLive: () => true,
    isReady: () => true,
    isModelReady: (name, version) => {
      if (broken.some((entry) => entry.name === name)) return false;
      return find(name, version) !== undefined;
    },
    presence: (name) => (Object.hasOwn(models, name) ? "live" : "absent"),
    modelWorkers: async () => ({
      loadedAtMs: 0,
      workers: [{ pid: 1, residentBytes: 12, isReady: true }],
      waitingRequests: 0,
    }),
    door: (name, version) => {
      if (broken.some((entry) => entry.name === name)) return undefined;
      const { rejectEarly = () => undefined, task } = find(name, version);
      return { rejectEarly, ...(task !== undefined && { task }) };
    },
    modelMetadata: (name, version) => {
      const { inputs, outputs } = find(name, version);
      return { name, versions: ["1"], platform: "memory", inputs, outputs };
    },
    acquireInputs: async (name, version) => find(name, version).inputs,
    modelConfiguration: (name, version) => {
      const { inputs, outputs } = find(name, version);
      const settings = { ...SETTINGS, preferredBatchSizes: [8, 16], maxQueueDelayMs: 1.5 };
      return {
        name,
        version: "1",
        platform: "memory",
        runtime: "js",
        inputs,
        outputs,
        settings,
        isBatching: true,
      };
    },
    modelStatistics: (name = "echo", version = "1") => {
      find(name, version);
      return [new StatisticsCounters(() => 0).read({ name, version, memoryBytes: 12 })];
    },
    modelNames: () => new Set([...Object.keys(models), ...broken.map(({ name }) => name)]),
    rolloutStatus: () => undefined,
    index: () => [
      ...Object.keys(models).map((name): IndexEntry => ({ name, version: "1", state: "READY", reason: "" })),
      ...broken,
    ],
    loadedInputs: (name, version) =>
      broken.some((entry) => entry.name === name) ? undefined : find(name, version).inputs,
    infer: async (request) => run(find(request.model, request.version), request),
    submit(request, receiver) {
      this.infer(request).then(
        (response) => receiver.resolve(response),
        (error: unknown) => receiver.reject(ServeError.from(error)),
      );
    },
  };
}

async function run(model: MemoryModel, request: InferRequest): Promise<InferResponse> {
  const inputs = model.inputs.map((spec) => check(spec, request));
  for (const { name } of request.inputs) {
    if (!model.inputs.some((spec) => spec.name === name)) throw bad(`there is no input "${name}"`);
  }
  if (request.inputs.length !== inputs.length) throw bad("an input came twice");
  for (const name of request.outputs ?? []) {
    if (!model.outputs.some((spec) => spec.name === name)) throw bad(`there is no output "${name}"`);
  }
  const { timeline } = request;
  timeline.enqueuedMs = timeline.claimedMs = timeline.dispatchedMs = performance.now();
  const outputs = await model.run(inputs, request);
  timeline.answeredMs = performance.now();
  timeline.computeMs = timeline.answeredMs - timeline.dispatchedMs;
  const wanted = request.outputs?.map((name) => outputs.find((output) => output.name === name)!);
  const { parameters, id } = request;
  return { model: request.model, version: "1", id, outputs: wanted ?? outputs, parameters, batchRows: 1 };
}

function check(spec: TensorSpec, request: InferRequest): NamedTensor {
  const input = request.inputs.find(({ name }) => name === spec.name);
  if (input === undefined) throw bad(`input "${spec.name}" is missing`);
  if (input.datatype !== spec.datatype) throw bad(`${spec.name}: expected ${spec.datatype}`);
  const fits =
    input.shape.length === spec.dims.length && spec.dims.every((dim, i) => allows(dim, input.shape[i]!));
  if (!fits) throw bad(`${spec.name}: wrong shape`);
  if (
    input.datatype !== "BYTES" &&
    input.bytes.length !== elementCount(input.shape) * elementBytes(input.datatype)
  ) {
    throw bad(`${spec.name}: wrong size`);
  }
  return input;
}

function allows(dim: Dim, size: number): boolean {
  return typeof dim === "number"
    ? dim === size
    : size >= dim.min && size <= (dim.max ?? Number.POSITIVE_INFINITY);
}

function bad(message: string): ServeError {
  return new ServeError("invalid_argument", message);
}

const BATCH: Dim = { symbol: "batch", min: 1, max: 64 };

export function spec(
  name: string,
  datatype: TensorSpec["datatype"],
  dims: readonly Dim[] = [BATCH, 2],
): TensorSpec {
  return { name, datatype, dims };
}

/** Gives its only input back under the name `out`. */
export function identity(datatype: TensorSpec["datatype"], dims?: readonly Dim[]): MemoryModel {
  return {
    inputs: [spec("in", datatype, dims)],
    outputs: [spec("out", datatype, dims)],
    run: ([input]) => [{ ...input!, name: "out" }],
  };
}

/** Adds and subtracts two float32 inputs, `a` and `b`. */
export const ADD_SUB: MemoryModel = {
  inputs: [spec("a", "FP32"), spec("b", "FP32")],
  outputs: [spec("sum", "FP32"), spec("difference", "FP32")],
  run: ([a, b]) => {
    const x = float32s(a!);
    const y = float32s(b!);
    return [
      fromFloat32s(
        "sum",
        a!.shape,
        x.map((value, i) => value + y[i]!),
      ),
      fromFloat32s(
        "difference",
        a!.shape,
        x.map((value, i) => value - y[i]!),
      ),
    ];
  },
};

function float32s({ bytes }: NamedTensor): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

function fromFloat32s(name: string, shape: readonly number[], values: Float32Array): NamedTensor {
  return { name, datatype: "FP32", shape, bytes: new Uint8Array(values.buffer) };
}
