const OK = { "200": { description: "The answer." } };
const MODEL = { name: "model_name", in: "path", required: true, schema: { type: "string" } };
const VERSION = { name: "model_version", in: "path", required: true, schema: { type: "string" } };
const ANY_BODY = { content: { "*/*": { schema: { type: "string", format: "binary" } } } };

/** What `OPTIONS /` says of the part of TorchServe's API that is there. */
export const TORCHSERVE_API: object = {
  openapi: "3.0.1",
  info: {
    title: "TorchServe APIs",
    description: "The part of TorchServe's API that Sconce answers.",
    version: "0.12.0",
  },
  paths: {
    "/": { options: { operationId: "apiDescription", parameters: [], responses: OK } },
    "/ping": { get: { operationId: "ping", parameters: [], responses: OK } },
    "/predictions/{model_name}": {
      post: { operationId: "predictions", parameters: [MODEL], requestBody: ANY_BODY, responses: OK },
      put: { operationId: "predictions_put", parameters: [MODEL], requestBody: ANY_BODY, responses: OK },
    },
    "/predictions/{model_name}/{model_version}": {
      post: {
        operationId: "version_predictions",
        parameters: [MODEL, VERSION],
        requestBody: ANY_BODY,
        responses: OK,
      },
      put: {
        operationId: "version_predictions_put",
        parameters: [MODEL, VERSION],
        requestBody: ANY_BODY,
        responses: OK,
      },
    },
    "/models": {
      get: { operationId: "listModels", parameters: [], responses: OK },
      post: { operationId: "registerModel", parameters: [], responses: OK },
    },
    "/models/{model_name}": {
      get: { operationId: "describeModel", parameters: [MODEL], responses: OK },
      put: { operationId: "setAutoScale", parameters: [MODEL], responses: OK },
      delete: { operationId: "unregisterModel", parameters: [MODEL], responses: OK },
    },
  },
};
