import { outputBytes } from "../../../base/infer-request.ts";
import type { ModelConfiguration } from "../../../infer/inference.ts";
import { askedModelOf, modelOf } from "../call/asked-model.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import { type DecodedRequest, type RestDialect, runInference } from "../call/rest-inference.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { bad } from "../json/fields.ts";
import { type PredictRequest, readPrediction } from "../predict/predict-request.ts";
import { encodePrediction } from "../predict/predict-response.ts";
import { TORCHSERVE_API } from "./torchserve-api.ts";
import { plainVersion, queryOf, spellAsTorchserve } from "./torchserve-call.ts";
import { readHandlerRequest, takesAnyBody } from "./torchserve-request.ts";
import { encodeHandlerResponse, prettyJson } from "./torchserve-response.ts";

const PREDICTIONS = ["/predictions/:model", "/predictions/:model/:version"] as const;

/** TorchServe's inference API, and what reads of its management API. */
export function torchserveRoutes(): readonly Route[] {
  const predict = (call: RestCall, params: RouteParams): void => {
    spellAsTorchserve(call, params);
    runInference(call, askedModelOf(call, { ...params, version: plainVersion(params) }), PREDICTIONS_DIALECT);
  };
  return [
    { method: "GET", urls: ["/ping"], needs: "nothing", run: answerPing },
    { method: "POST", urls: PREDICTIONS, run: predict },
    { method: "PUT", urls: PREDICTIONS, run: predict },
    { method: "OPTIONS", urls: ["/"], needs: "nothing", run: answerDescription },
    { method: "GET", urls: ["/api-description"], needs: "nothing", run: answerDescription },
    { method: "GET", urls: ["/models"], run: answerModels },
    { method: "GET", urls: ["/models/:model", "/models/:model/:version"], run: answerModel },
  ];
}

const PREDICTIONS_DIALECT: RestDialect<DecodedRequest & Partial<Pick<PredictRequest, "unbatched">>> = {
  takesAnyBody: true,
  needsInputs: () => true,
  decode(call, body, inputs) {
    return takesAnyBody(inputs!) ? readHandlerRequest(call, body) : readPrediction(call, body, inputs!);
  },
  encode(call, response, { unbatched }) {
    if (unbatched === undefined) return encodeHandlerResponse(response);
    return call.workOff(outputBytes(response), encodePrediction(response, unbatched));
  },
};

function answerPing(call: RestCall): void {
  const { inference, isDraining } = call.context;
  const isHealthy = inference.isReady() && !isDraining();
  sendPretty(call, isHealthy ? 200 : 500, { status: isHealthy ? "Healthy" : "Unhealthy" });
}

function answerDescription(call: RestCall): void {
  sendPretty(call, 200, TORCHSERVE_API);
}

const MAX_PAGE = 100;

/** A page of models: `limit` of them, from the place that `next_page_token` names. */
async function answerModels(call: RestCall): Promise<void> {
  spellAsTorchserve(call, {});
  const query = queryOf(call);
  const limit = Math.min(MAX_PAGE, count(query, "limit", MAX_PAGE));
  const from = count(query, "next_page_token", 0);
  const names = await call.context.shared.servedNames.get();
  const models = names
    .slice(from, from + limit)
    .map((modelName) => ({ modelName, modelUrl: `${modelName}.mar` }));
  const next = from + limit;
  sendPretty(call, 200, { ...(next < names.length && { nextPageToken: String(next) }), models });
}

function count(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  if (/^[0-9]{1,9}$/.test(text) && (name !== "limit" || Number(text) > 0)) return Number(text);
  throw bad(name, "expected a whole number");
}

function answerModel(call: RestCall, params: RouteParams): void {
  spellAsTorchserve(call, params);
  const { inference } = call.context;
  const [name, asked] = modelOf({ ...params, version: plainVersion(params) });
  const versions =
    asked === "all"
      ? inference.modelMetadata(name, undefined).versions
      : [inference.modelConfiguration(name, asked)];
  const described = versions.map((version) =>
    typeof version === "string"
      ? describe(inference.modelConfiguration(name, version), version)
      : describe(version, asked ?? inference.modelMetadata(name, undefined).versions.at(-1) ?? "1"),
  );
  sendPretty(call, 200, described);
}

function describe({ name, settings, runtime }: ModelConfiguration, version: string): object {
  const { instances } = settings;
  return {
    modelName: name,
    modelVersion: `${version}.0`,
    modelUrl: `${name}.mar`,
    runtime,
    minWorkers: instances,
    maxWorkers: instances,
    batchSize: settings.maxBatchSize,
    maxBatchDelay: settings.maxQueueDelayMs,
    loadedAtStartup: true,
    workers: Array.from({ length: instances }, (_, index) => ({ id: String(index), status: "READY" })),
  };
}

function sendPretty(call: RestCall, status: number, value: unknown): void {
  call.send(status, JSON_TYPE, prettyJson(value));
}
