import { DATATYPES } from "@sconce/protocol";
import type { JsonSchema } from "./json-schema.ts";

const text: JsonSchema = { type: "string" };
const count: JsonSchema = { type: "number", minimum: 0 };
const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const object = (
  properties: Readonly<Record<string, JsonSchema>>,
  required = Object.keys(properties),
): JsonSchema => ({
  type: "object",
  properties,
  required,
});

export type SchemaName =
  | "Error"
  | "Base64"
  | "Tensor"
  | "InferRequest"
  | "InferResponse"
  | "ModelMetadata"
  | "ModelConfiguration"
  | "ModelReady"
  | "Statistics"
  | "RepositoryIndex"
  | "ModelNames"
  | "ServerMetadata"
  | "Health"
  | "PredictRequest"
  | "PredictResponse"
  | "Anything";

/** A schema of `components`. */
export function ref(name: SchemaName): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

const parameters: JsonSchema = {
  type: "object",
  additionalProperties: { type: ["string", "number", "boolean"] },
};
const port: JsonSchema = object({
  name: text,
  datatype: { enum: DATATYPES },
  shape: list({ type: "integer", minimum: -1 }),
});
const total: JsonSchema = object({ count, ns: count });
const timings: JsonSchema = object({ compute_input: total, compute_infer: total, compute_output: total });

/** What the bodies of requests and responses have in common. */
export const COMPONENT_SCHEMAS: Readonly<Record<SchemaName, JsonSchema>> = {
  Error: object({
    error: { ...(text as object), description: "What happened, and what to change." },
    reason: {
      ...(text as object),
      description: "One word for programs, such as model_not_found or queue_full.",
    },
  }),
  Base64: object({ b64: { type: "string", contentEncoding: "base64" } }),
  Tensor: object(
    {
      name: text,
      datatype: { enum: DATATYPES },
      shape: list({ type: "integer", minimum: 0 }),
      data: { type: "array", description: "Elements, row-major, flat or nested." },
      parameters,
    },
    ["name", "datatype", "shape"],
  ),
  InferRequest: object(
    {
      id: text,
      parameters,
      inputs: list({ $ref: "#/components/schemas/Tensor" }),
      outputs: list(object({ name: text, parameters }, ["name"])),
    },
    ["inputs"],
  ),
  InferResponse: object(
    {
      id: text,
      model_name: text,
      model_version: text,
      parameters,
      outputs: list({ $ref: "#/components/schemas/Tensor" }),
    },
    ["model_name", "outputs"],
  ),
  ModelMetadata: object({
    name: text,
    versions: list(text),
    platform: text,
    inputs: list(port),
    outputs: list(port),
  }),
  ModelConfiguration: object({ name: text, platform: text, backend: text, max_batch_size: count }),
  ModelReady: object({ name: text, ready: { type: "boolean" } }),
  Statistics: object({
    model_stats: list(
      object({
        name: text,
        version: text,
        last_inference: count,
        inference_count: count,
        execution_count: count,
        inference_stats: object({ success: total, fail: total, queue: total }),
        batch_stats: list({ allOf: [object({ batch_size: count }), timings] }),
      }),
    ),
  }),
  RepositoryIndex: list(object({ name: text, version: text, state: text, reason: text })),
  ModelNames: object({ models: list(text) }),
  ServerMetadata: object({ name: text, version: text, extensions: list(text) }),
  Health: { type: "object", properties: { live: { type: "boolean" }, ready: { type: "boolean" } } },
  PredictRequest: object({
    input: { description: "The only input's value, or an object of values by input name." },
  }),
  PredictResponse: object({
    prediction: { description: "The only output's value, or an object by output name." },
  }),
  Anything: {},
};
