import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { bfloat16Bits, decodeJsonTensor, float16Bits } from "@sconce/protocol";
import { ServeError } from "../base/errors.ts";
import { type Dim, exampleSize, type Signature, type TensorSpec } from "../base/signature.ts";
import { elementBytes, elementCount, type Tensor } from "../base/tensor.ts";
import { readPredictRequest } from "../edge/rest/predict/predict-request.ts";
import { DEFAULT_REST_LIMITS } from "../edge/rest-limits.ts";
import { AT_ONCE, workOff } from "../edge/time-slicer.ts";

/** Inputs in signature order to run a model on, and what to call them. */
export interface Trial {
  readonly label: string;
  readonly inputs: readonly Tensor[];
}

/** Sizes of a variable dimension in the three kinds of trial: the first dimension is usually the batch. */
const FIRST_SIZES = [1, 3, 8] as const;
const OTHER_SIZES = [2, 7, 32] as const;
const ROUNDS = 2;

/**
 * Made-up inputs of several sizes, the same for the same seed: floats are normal, integers lie within `bounds` (by input name), masks are
 * ones. Throws ServeError when the model takes texts, which nobody can make up.
 */
export function makeTrials(
  signature: Signature,
  { bounds, seed }: { readonly bounds: ReadonlyMap<string, number>; readonly seed: number },
): Trial[] {
  const next = randomNumbers(seed);
  const trials = new Map<string, Trial>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const level of [0, 1, 2] as const) {
      const sizes = new Map<string, number>();
      const inputs = signature.inputs.map((spec) => {
        const shape = spec.dims.map((dim, axis) =>
          sizeOf(dim, axis === 0 ? FIRST_SIZES[level] : OTHER_SIZES[level], sizes),
        );
        return madeUp(spec, shape, { bound: bounds.get(spec.name), next });
      });
      const label = `${inputs.map(({ shape }) => `[${shape.join(", ")}]`).join(" ")} #${round + 1}`;
      trials.set(label, { label, inputs });
    }
  }
  return [...trials.values()];
}

function sizeOf(dim: Dim, wish: number, sizes: Map<string, number>): number {
  if (typeof dim === "number" || dim.example !== undefined) return exampleSize(dim);
  const { symbol, min, max = Number.POSITIVE_INFINITY, multipleOf = 1 } = dim;
  const known = sizes.get(symbol);
  if (known !== undefined) return known;
  const lowest = Math.ceil(Math.max(min, 1) / multipleOf) * multipleOf;
  const size = Math.max(lowest, Math.floor(Math.min(wish, max) / multipleOf) * multipleOf);
  sizes.set(symbol, size);
  return size;
}

/** What numbers are made of. */
export interface Making {
  /** Integers lie below it; undefined: 2. */
  readonly bound: number | undefined;
  readonly next: () => number;
}

/** One made-up tensor of that shape. Throws ServeError for texts. */
export function madeUp(
  { name, datatype }: TensorSpec,
  shape: readonly number[],
  { bound, next }: Making,
): Tensor {
  if (datatype === "BYTES") {
    throw new ServeError("invalid_argument", `the model takes texts (${name}); give them with --input`, {
      reason: "bad_arguments",
    });
  }
  const bytes = new Uint8Array(elementCount(shape) * elementBytes(datatype));
  const view = new DataView(bytes.buffer);
  const isMask = /mask/i.test(name);
  const write = WRITERS[datatype] ?? ((target, at, value) => target.setUint8(at, value));
  const isFloat = datatype.startsWith("FP") || datatype === "BF16";
  for (let at = 0; at < bytes.length; at += elementBytes(datatype)) {
    if (isMask) write(view, at, 1);
    else write(view, at, isFloat ? normal(next) : Math.floor(next() * (bound ?? 2)));
  }
  return { datatype, shape, bytes };
}

const WRITERS: Readonly<Record<string, (view: DataView, at: number, value: number) => void>> = {
  FP32: (view, at, value) => view.setFloat32(at, value, true),
  FP64: (view, at, value) => view.setFloat64(at, value, true),
  FP16: (view, at, value) => view.setUint16(at, float16Bits(value), true),
  BF16: (view, at, value) => view.setUint16(at, bfloat16Bits(value), true),
  INT64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  UINT64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  INT32: (view, at, value) => view.setInt32(at, value, true),
  UINT32: (view, at, value) => view.setUint32(at, value, true),
  INT16: (view, at, value) => view.setInt16(at, value, true),
  UINT16: (view, at, value) => view.setUint16(at, value, true),
};

/** Numerical Recipes' linear congruential generator: enough for test data, and the same everywhere. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Box and Muller's transform. */
function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** The JSON files that paths name: files themselves, and those that lie in folders. */
export function inputFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) throw new ServeError("not_found", `${basename(path)}: no such file or folder`);
    if (!stats.isDirectory()) return [path];
    const files = readdirSync(path).filter((name) => name.endsWith(".json"));
    if (files.length === 0)
      throw new ServeError("not_found", `${basename(path)}: the folder has no .json files`);
    return files.sort().map((name) => join(path, name));
  });
}

/** Reads given inputs: a `/predict` body, its bare value, or an Open Inference Protocol body. Throws ServeError `invalid_argument`. */
export async function readTrial(path: string, { inputs: specs }: Signature): Promise<Trial> {
  const label = basename(path);
  try {
    const body = readFileSync(path);
    const value: unknown = JSON.parse(body.toString("utf8"));
    if (isObject(value) && Array.isArray(value["inputs"])) {
      return { label, inputs: specs.map((spec) => namedInput(value["inputs"] as unknown[], spec)) };
    }
    const whole =
      isObject(value) && "input" in value ? body : Buffer.from(`{"input":${body.toString("utf8")}}`);
    const request = await workOff(readPredictRequest(whole, specs, DEFAULT_REST_LIMITS), AT_ONCE);
    return { label, inputs: request.inputs };
  } catch (error) {
    const why = error instanceof Error ? error.message : "not readable";
    throw new ServeError("invalid_argument", `${label}: ${why}`, { cause: error });
  }
}

function namedInput(given: readonly unknown[], { name, aliases = [], datatype }: TensorSpec): Tensor {
  const named = (known: string): unknown => given.find((item) => isObject(item) && item["name"] === known);
  const found = [name, ...aliases].map(named).find((item) => item !== undefined);
  if (!isObject(found) || !Array.isArray(found["shape"])) {
    throw new ServeError("invalid_argument", `the input ${name} is missing, or has no shape`);
  }
  const data = Buffer.from(JSON.stringify(found["data"] ?? null));
  const shape = found["shape"].map(Number);
  return decodeJsonTensor(data, { start: 0, end: data.length }, { field: name, datatype, shape });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
