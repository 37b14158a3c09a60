/** `METHOD path operationId parameters…` of TorchServe's inference port. */
const INFERENCE = [
  "OPTIONS / apiDescription",
  "GET /api-description api-description",
  "GET /ping ping",
  "GET /metrics metrics name[]",
  "POST /predictions/{model_name} predictions model_name",
  "POST /predictions/{model_name}/{model_version} version_predictions model_name model_version",
  "POST /v1/models/{model_name}:predict predictions model_name",
  "POST /v2/models/{model_name}/infer predictions model_name",
];

const SCALING = "min_worker max_worker number_gpu synchronous timeout";

/** The same of its management port. */
const MANAGEMENT = [
  "OPTIONS / apiDescription",
  "GET /api-description api-description",
  "GET /metrics metrics name[]",
  "GET /models listModels limit next_page_token",
  "POST /models registerModel url model_name handler runtime batch_size max_batch_delay response_timeout startup_timeout initial_workers synchronous s3_sse_kms",
  "GET /models/{model_name} describeModel model_name",
  "GET /models/{model_name}/{model_version} version_describeModel model_name model_version",
  `PUT /models/{model_name} setAutoScale model_name ${SCALING}`,
  `PUT /models/{model_name}/{model_version} version_setAutoScale model_name model_version ${SCALING}`,
  "PUT /models/{model_name}/{model_version}/set-default setDefault model_name model_version",
  "DELETE /models/{model_name} unregisterModel model_name synchronous timeout",
  "DELETE /models/{model_name}/{model_version} version_unregisterModel model_name model_version synchronous timeout",
];

const TEXT = { type: "string" };
const ERROR = {
  description: "What went wrong.",
  content: {
    "application/json": {
      schema: {
        type: "object",
        required: ["code", "type", "message"],
        properties: { code: { type: "integer" }, type: TEXT, message: TEXT },
      },
    },
  },
};
const RESPONSES = { "200": { description: "OK" }, default: ERROR };

/** What the ports say of themselves; `inference` with the management API where both are on one. */
export const TORCHSERVE_APIS: Readonly<Record<"inference" | "management" | "both", object>> = {
  inference: document(INFERENCE),
  management: document(MANAGEMENT),
  both: document([...new Set([...INFERENCE, ...MANAGEMENT])]),
};

function document(lines: readonly string[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const line of lines) {
    const [method = "", path = "", operationId, ...names] = line.split(" ");
    const parameters = names.map((name) => {
      const isPath = path.includes(`{${name}}`);
      return { name, in: isPath ? "path" : "query", required: isPath || name === "url", schema: TEXT };
    });
    paths[path] ??= {};
    paths[path][method.toLowerCase()] = { operationId, parameters, responses: RESPONSES };
  }
  const description = "The part of TorchServe's API that Sconce answers.";
  return { openapi: "3.0.1", info: { title: "TorchServe APIs", description, version: "0.12.0" }, paths };
}

/** What `OPTIONS /predictions/{model}` says. */
export function modelApi(model: string): object {
  const operation = {
    description: `A predict entry point for model: ${model}.`,
    operationId: model,
    parameters: [],
    responses: RESPONSES,
  };
  const urls = [`/prediction/${model}`, "/v1/models/{model_name}:predict", "/v2/models/{model_name}/infer"];
  return {
    openapi: "3.0.1",
    info: { title: `RESTful API for: ${model}`, version: "1.0.0" },
    paths: Object.fromEntries(urls.map((url) => [url, { post: operation }])),
  };
}
