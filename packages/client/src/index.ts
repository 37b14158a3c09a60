export type { Fetch } from "./ask-endpoint.ts";
export type {
  AnyModels,
  CallOptions,
  Client,
  ClientOptions,
  InferOptions,
  InputValue,
  ModelMetadata,
  ModelTypes,
  PortMetadata,
  ResponseOf,
  StreamOptions,
} from "./client.ts";
export { type CallTrace, ClientError } from "./client-error.ts";
export { createClient } from "./create-client.ts";
export type { InferResponse } from "./infer-response.ts";
export type { StreamSocket } from "./model-stream.ts";
export type { NestedValue } from "./nested-values.ts";
export type { Timing } from "./timing.ts";
export { type ElementValues, type TypedElements, type TypedTensor, tensor, texts } from "./typed-tensor.ts";
