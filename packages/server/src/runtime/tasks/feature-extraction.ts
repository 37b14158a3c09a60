import type { NamedTensor } from "../../base/tensor.ts";
import { createImageReader } from "./image/image-inputs.ts";
import { bad } from "./read-request.ts";
import { floatsOf, outputPlace } from "./scores.ts";
import { sentenceVectorOf, type TokenPlaces } from "./sentence-vector.ts";
import type { TaskContext, TaskProcessor } from "./task-processor.ts";
import { createTextEncoder } from "./text/text-encoder.ts";

/**
 * What a model sees in a text: its first output as it is. With `embedding`, which `/v1/embeddings` sets, one vector instead, and how many tokens the text
 * has: `{"embedding", "tokens"}`; the text may be a list of the model's tokens then, and with `encoding_format: base64` the vector is little-endian float32s.
 */
export async function makeFeatureExtraction(context: TaskContext): Promise<TaskProcessor> {
  const encoder = await createTextEncoder(context);
  const sentenceVector = sentenceVectorOf(context.files);
  return {
    takes: "text",
    parameters: ["embedding", "dimensions", "encoding_format"],
    prepare(input, { embedding, dimensions, encoding_format: format }) {
      if (embedding !== undefined && typeof embedding !== "boolean")
        throw bad("parameters.embedding", "expected true or false");
      if (dimensions !== undefined && !(Number.isSafeInteger(dimensions) && Number(dimensions) > 0))
        throw bad("parameters.dimensions", "expected a whole number from 1 on");
      if (format !== undefined && format !== "float" && format !== "base64")
        throw bad("parameters.encoding_format", "expected float or base64");
      const ids = embedding === true && input.kind === "value" ? tokenIds(input.value) : undefined;
      if (ids !== undefined) {
        const { tensors, real } = encoder.encodeIds(ids);
        return { runs: [tensors], state: real };
      }
      if (input.kind !== "text") throw bad("input", "expected a text");
      const { tensors, real } = encoder.encode(input.text);
      return { runs: [tensors], state: real };
    },
    finish([outputs], { state, parameters }) {
      const output = outputs![0]!;
      if (parameters["embedding"] !== true) return nested(output);
      const real = state as TokenPlaces; // what `prepare` gave
      const dimensions = parameters["dimensions"] as number | undefined; // `prepare` looked at it
      const vector = sentenceVector(output, real, dimensions);
      const embedding = parameters["encoding_format"] === "base64" ? base64Of(vector) : vector;
      // `/v1/embeddings` counts on this order.
      return { embedding, tokens: real.to - real.from };
    },
  };
}

/** What OpenAI's own clients ask for. */
function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(4 * vector.length);
  for (let i = 0; i < vector.length; i++) bytes.writeFloatLE(vector[i]!, 4 * i);
  return bytes.toString("base64");
}

const MAX_ID = 2 ** 31 - 1;

/** Undefined: it is no list of tokens. */
function tokenIds(value: unknown): readonly number[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const isId = (id: unknown): boolean => Number.isInteger(id) && Number(id) >= 0 && Number(id) <= MAX_ID;
  if (!value.every(isId)) throw bad("input", "expected tokens as whole numbers from 0 on");
  return value as number[];
}

/** The same of an image; with `pool`, the output that stands for all of it. */
export function makeImageFeatureExtraction(context: TaskContext): TaskProcessor {
  const { read } = createImageReader(context);
  return {
    takes: "bytes",
    parameters: ["pool"],
    async prepare(input, { pool }) {
      if (pool !== undefined && typeof pool !== "boolean")
        throw bad("parameters.pool", "expected true or false");
      if (pool === true) outputPlace(context, ["pooler_output"]);
      return { runs: [(await read(input)).tensors] };
    },
    finish([outputs], { parameters: { pool } }) {
      return nested(outputs![pool === true ? outputPlace(context, ["pooler_output"]) : 0]!);
    },
  };
}

/** A tensor as nested lists. */
function nested(tensor: NamedTensor): unknown {
  const values = floatsOf(tensor);
  const { shape } = tensor;
  const build = (axis: number, from: number, size: number): unknown => {
    if (axis >= shape.length) return values[from];
    if (axis === shape.length - 1) return Array.from(values.subarray(from, from + size));
    const step = size / shape[axis]!;
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, from + i * step, step));
  };
  return build(0, 0, values.length);
}
