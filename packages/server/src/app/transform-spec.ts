import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { ServeError } from "../base/errors.ts";
import type { Dim, TensorSpec } from "../base/signature.ts";
import { type Datatype, isDatatype } from "../base/tensor.ts";
import type { ModelConfig } from "../config/model-options.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";
import type { LoadSpec } from "../runtime/runtime.ts";
import type { WantedTask } from "./wanted-task.ts";

interface TransformParts {
  readonly config: ModelConfig;
  readonly candidate: ModelCandidate;
  readonly task: WantedTask | undefined;
}

const MAX_AUTO_WORKERS = 4;
const MAX_TENSORS = 256;
const MAX_RANK = 16;

/**
 * How code between models is loaded: as a model whose inputs and outputs model.yaml says, and that runs in workers of its own. Throws
 * `failed_precondition`/`bad_task_files`, and `invalid_argument`/`invalid_config`.
 */
export function transformSpec(spec: LoadSpec, { config, candidate, task }: TransformParts): LoadSpec {
  if (task?.handler === undefined)
    throw new ServeError(
      "failed_precondition",
      "the folder holds no model file, and no handler.ts, handler.js or handler.mjs with a transform: put one of them there",
      { reason: "bad_task_files" },
    );
  if (config.cacheBytes !== undefined) throw wrong("cache: what code answers is not kept; leave it out");
  const { handler } = task;
  return {
    ...spec,
    task: {
      name: "transform",
      handler,
      folders: [dirname(candidate.file)],
      inputs: specsOf("inputs", config.inputs),
      outputs: specsOf("outputs", config.outputs),
    },
    options: {
      ...spec.options,
      instances: config.instances === "auto" ? fewWorkers() : config.instances,
      isolation: "process",
      weightsFile: undefined,
    },
  };
}

/** Each is a process. */
function fewWorkers(): number {
  return Math.max(1, Math.min(MAX_AUTO_WORKERS, Math.floor(availableParallelism() / 4)));
}

function specsOf(key: string, given: Readonly<Record<string, unknown>> | undefined): TensorSpec[] {
  const entries = Object.entries(given ?? {});
  if (entries.length === 0 || entries.length > MAX_TENSORS)
    throw wrong(`${key}: expected 1 to ${MAX_TENSORS} names and types`);
  return entries.map(([name, text]) => specOf(`${key}.${name.slice(0, 80)}`, name, String(text)));
}

/** PyTorch's names beside those of the Open Inference Protocol, which are taken as they are. */
const TYPES: Readonly<Record<string, Datatype>> = {
  float16: "FP16",
  float32: "FP32",
  float64: "FP64",
  bfloat16: "BF16",
  bool: "BOOL",
  string: "BYTES",
};

function specOf(field: string, name: string, text: string): TensorSpec {
  const [, type = "", sizes = ""] = /^\s*(\w{1,20})\s*\[([^\]]{0,500})\]\s*$/.exec(text) ?? [];
  const datatype = TYPES[type] ?? type.toUpperCase();
  if (!isDatatype(datatype))
    throw wrong(`${field}: expected a type and sizes, such as "float32[n, 4]" or "string[n]"`);
  const words = sizes.trim() === "" ? [] : sizes.split(",").map((word) => word.trim());
  if (words.length > MAX_RANK) throw wrong(`${field}: more than ${MAX_RANK} sizes`);
  return { name, datatype, dims: words.map((word) => dimOf(field, word)) };
}

function dimOf(field: string, word: string): Dim {
  if (/^\d{1,10}$/.test(word)) return Number(word);
  if (/^[A-Za-z_]\w{0,63}$/.test(word)) return { symbol: word, min: 0, max: undefined };
  throw wrong(`${field}: ${JSON.stringify(word.slice(0, 40))} is neither a number nor a name`);
}

function wrong(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "invalid_config" });
}
