import { ref, type SchemaName } from "./component-schemas.ts";
import type { JsonSchema } from "./json-schema.ts";

/** What OpenAPI says of one route beside its URLs. */
export interface OperationDescription {
  readonly summary: string;
  readonly tag: "inference" | "models" | "health" | "control" | "observing";
  /** Of a JSON body; undefined: none is read. */
  readonly request?: JsonSchema;
  readonly isBodyOptional?: boolean;
  /** What stands behind the last variable in the URL, such as `:predict`. */
  readonly suffix?: string;
  /** The same response has another status while it says no. */
  readonly mayBeUnready?: boolean;
  /** Of the JSON response, or the media type of another one. */
  readonly response: JsonSchema | { readonly mediaType: string };
}

const get = (
  tag: OperationDescription["tag"],
  summary: string,
  response: SchemaName | { readonly mediaType: string },
): OperationDescription => ({
  tag,
  summary,
  response: typeof response === "string" ? ref(response) : response,
});

const infer = (summary: string, request: SchemaName, response: SchemaName): OperationDescription => ({
  ...get("inference", summary, response),
  request: ref(request),
});

const optional = (summary: string, response: SchemaName): OperationDescription => ({
  ...get("control", summary, response),
  request: { type: "object" },
  isBodyOptional: true,
});

const PREDICT = infer("Values in, values out", "PredictRequest", "PredictResponse");

/** By method and URL, as routes spell it, without the form that names a version. */
export const OPERATIONS: Readonly<Record<string, OperationDescription>> = {
  "POST /predict": infer("Values in, values out, of the only model", "PredictRequest", "PredictResponse"),
  "POST /predict/:model": PREDICT,
  "POST /v2/models/:model/infer": infer(
    "Inference with named and typed tensors",
    "InferRequest",
    "InferResponse",
  ),
  "POST /v2/models/:model/generate": infer("Inference in Triton's short form", "Anything", "Anything"),
  "POST /v2/models/:model/generate_stream": {
    ...infer("The same as server-sent events", "Anything", "Anything"),
    response: { mediaType: "text/event-stream" },
  },
  "GET /v2/models/:model": get("models", "Inputs and outputs of a model", "ModelMetadata"),
  "GET /v2/models/:model/ready": {
    ...get("models", "Whether a request would be answered", "ModelReady"),
    mayBeUnready: true,
  },
  "GET /v2/models/:model/config": get(
    "models",
    "How it is set up, as Triton spells it",
    "ModelConfiguration",
  ),
  "GET /v2/models/:model/stats": get(
    "observing",
    "What it did so far, in counts and nanoseconds",
    "Statistics",
  ),
  "GET /v2/models/stats": get("observing", "The same of every model in memory", "Statistics"),
  "GET /v2/models": get("models", "The names of all models", "ModelNames"),
  "POST /v2/repository/index": {
    ...optional("Every version with its state, and why it is not ready", "RepositoryIndex"),
    tag: "models",
  },
  "POST /v2/repository/models/:model/load": optional("Load or reload, for the administrator", "Anything"),
  "GET /v2/repository/models/:model/rollout": get(
    "models",
    "How far the rollout of a new version is",
    "Anything",
  ),
  "POST /v2/repository/models/:model/rollout": optional(
    "Start, advance, pause, resume, promote or abort a rollout, for the administrator",
    "Anything",
  ),
  "GET /v2/tenants": get(
    "observing",
    "What each key, token or tenant asked, for the administrator",
    "Anything",
  ),
  "POST /v2/profile": optional("A CPU profile of the server process, for the administrator", "Anything"),
  "POST /v2/repository/models/:model/unload": optional("Unload, for the administrator", "Anything"),
  "GET /v2/health/live": { ...get("health", "The process answers", "Health"), mayBeUnready: true },
  "GET /v2/health/ready": {
    ...get("health", "The models that are meant to be up are up", "Health"),
    mayBeUnready: true,
  },
  "POST /v1/models/:model": {
    ...infer("Inference as TensorFlow Serving and KServe's first protocol have it", "Anything", "Anything"),
    suffix: ":predict",
  },
  "GET /v1/models": get("models", "The names of all models", "ModelNames"),
  "GET /v1/models/:model": get("models", "Whether a request would be answered, and the versions", "Anything"),
  "GET /v1/models/:model/metadata": get(
    "models",
    "Inputs and outputs, as TensorFlow Serving spells them",
    "Anything",
  ),
  "GET /v2/logging": get("observing", "Triton's log settings", "Anything"),
  "POST /v2/logging": optional("Triton's log settings; a change is rejected", "Anything"),
  "GET /v2/trace/setting": get("observing", "Triton's trace settings", "Anything"),
  "POST /v2/trace/setting": optional("Triton's trace settings; a change is rejected", "Anything"),
  "GET /": get("observing", "A page that lists the models; JSON for who does not take HTML", "Anything"),
  "GET /v2": get("health", "Name, version and extensions of the server", "ServerMetadata"),
  "GET /metrics": get("observing", "Prometheus", { mediaType: "text/plain" }),
  "GET /v2/live": get("observing", "What the server counts, every second, as server-sent events", {
    mediaType: "text/event-stream",
  }),
  "GET /openapi.json": get("observing", "This document", "Anything"),
};
