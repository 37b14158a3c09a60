import { ServeError } from "../../../base/errors.ts";
import type { TensorSpec } from "../../../base/signature.ts";
import { wireShape } from "../../../base/signature.ts";
import type { Task } from "../../../base/task.ts";
import type { Inference, ModelMetadata } from "../../../infer/inference.ts";
import {
  elementSchema,
  exampleShape,
  flatExample,
  type JsonSchema,
  nestedExample,
  nestedSchema,
} from "./json-schema.ts";

/** The operations of one served model under its own URLs; none when it does not serve any more. */
export function modelOperations(name: string, inference: Inference): Readonly<Record<string, object>> {
  let metadata: ModelMetadata;
  let task: Task | undefined;
  try {
    task = inference.door(name, undefined)?.task;
    metadata = inference.modelMetadata(name, undefined);
  } catch (error) {
    if (error instanceof ServeError) return {};
    throw error;
  }
  const segment = encodeURIComponent(name);
  return {
    [`/predict/${segment}`]: {
      post: task === undefined ? predictOperation(name, metadata) : taskOperation(name, task),
    },
    [`/v2/models/${segment}/infer`]: { post: inferOperation(name, metadata) },
  };
}

function predictOperation(name: string, { inputs, outputs, hasSequences }: ModelMetadata): object {
  const request = {
    type: "object",
    properties: {
      input: valueSchema(inputs, rowOrRows),
      ...(hasSequences === true && { parameters: SEQUENCE_PARAMETERS }),
    },
    required: ["input"],
  };
  const examples = inputs.map(nestedExample);
  const input =
    inputs.length === 1 ? examples[0] : Object.fromEntries(inputs.map((spec, i) => [spec.name, examples[i]]));
  return operationOf({
    summary: `Values in, values out, of ${name}`,
    request,
    example: examples.includes(undefined) ? undefined : { input, ...wholeSequence(hasSequences) },
    response: {
      type: "object",
      properties: { prediction: valueSchema(outputs, orNull) },
      required: ["prediction"],
    },
  });
}

/** What a task takes and gives is for its page to say. */
function taskOperation(model: string, { name }: Task): object {
  return operationOf({
    summary: `${name} by ${model}`,
    request: {
      type: "object",
      properties: { input: {}, parameters: { type: "object" } },
      required: ["input"],
    },
    example: undefined,
    response: { type: "object", properties: { prediction: {} }, required: ["prediction"] },
  });
}

/** The value itself where there is one tensor, else an object by name. */
function valueSchema(specs: readonly TensorSpec[], schema: (spec: TensorSpec) => JsonSchema): JsonSchema {
  if (specs.length === 1) return schema(specs[0]!);
  return {
    type: "object",
    properties: Object.fromEntries(specs.map((spec) => [spec.name, schema(spec)])),
    required: specs.map(({ name }) => name),
  };
}

/** One row may leave out the batch dimension. */
function rowOrRows(spec: TensorSpec): JsonSchema {
  const [first] = spec.dims;
  if (first === undefined || typeof first === "number") return nestedSchema(spec);
  return { anyOf: [nestedSchema(spec), nestedSchema(spec, 1)] };
}

/** Outputs are not promised by their sizes here: NaN and infinities come as null, one row without the batch dimension. */
function orNull(spec: TensorSpec): JsonSchema {
  return spec.dims.length === 0 ? {} : { type: ["array", "number", "boolean", "string", "null", "object"] };
}

function inferOperation(name: string, { inputs, outputs, hasSequences }: ModelMetadata): object {
  const data = inputs.map(flatExample);
  const example = inputs.map((spec, i) => ({
    name: spec.name,
    datatype: spec.datatype,
    shape: exampleShape(spec),
    data: data[i],
  }));
  return operationOf({
    summary: `Inference of ${name}, with named and typed tensors`,
    request: {
      type: "object",
      properties: {
        id: { type: "string", maxLength: 1024 },
        inputs: {
          type: "array",
          items: { anyOf: inputs.map(tensorSchema) },
          minItems: inputs.length,
          maxItems: inputs.length,
        },
        ...(hasSequences === true && { parameters: SEQUENCE_PARAMETERS }),
        outputs: {
          type: "array",
          items: {
            type: "object",
            properties: { name: { enum: outputs.map((output) => output.name) } },
            required: ["name"],
          },
        },
      },
      required: ["inputs"],
    },
    example: data.includes(undefined) ? undefined : { inputs: example, ...wholeSequence(hasSequences) },
    response: { $ref: "#/components/schemas/InferResponse" },
  });
}

const SEQUENCE_PARAMETERS = {
  type: "object",
  properties: {
    sequence_id: {
      anyOf: [
        { type: "integer", minimum: 0 },
        { type: "string", maxLength: 128 },
      ],
    },
    sequence_start: { type: "boolean" },
    sequence_end: { type: "boolean" },
  },
};

/** So that an example works by itself: a request that is a sequence from beginning to end. */
function wholeSequence(hasSequences: boolean | undefined): object {
  return hasSequences === true ? { parameters: { sequence_start: true, sequence_end: true } } : {};
}

function tensorSchema(spec: TensorSpec): JsonSchema {
  const shape = wireShape(spec);
  return {
    type: "object",
    properties: {
      name: { const: spec.name },
      datatype: { const: spec.datatype },
      shape: spec.isRankFree
        ? { type: "array", items: { type: "integer", minimum: 0 } }
        : {
            type: "array",
            prefixItems: shape.map((size) => (size < 0 ? { type: "integer", minimum: 0 } : { const: size })),
            minItems: shape.length,
            maxItems: shape.length,
          },
      data: { type: "array", items: { anyOf: [elementSchema(spec), { type: "array" }] } },
    },
    required: ["name", "datatype", "shape", "data"],
  };
}

function operationOf(described: {
  readonly summary: string;
  readonly request: object;
  readonly example: unknown;
  readonly response: object;
}): object {
  const { summary, request, example, response } = described;
  return {
    summary,
    tags: ["inference"],
    requestBody: {
      required: true,
      content: { "application/json": { schema: request, ...(example !== undefined && { example }) } },
    },
    responses: {
      200: { description: "Done", content: { "application/json": { schema: response } } },
      default: {
        description: "What went wrong",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}
