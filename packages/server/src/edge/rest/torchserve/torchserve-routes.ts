import { outputBytes } from "../../../base/infer-request.ts";
import { checkModelName } from "../../../gate/model-name.ts";
import { takesAnyBody } from "../../torchserve/handler-call.ts";
import { modelApi, TORCHSERVE_APIS } from "../../torchserve/torchserve-api.ts";
import type { TorchserveApis } from "../../torchserve/torchserve-apis.ts";
import { askedModelOf } from "../call/asked-model.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import { type DecodedRequest, type RestDialect, runInference } from "../call/rest-inference.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { type PredictRequest, readPrediction } from "../predict/predict-request.ts";
import { encodePrediction } from "../predict/predict-response.ts";
import { forTokens, plainVersion, spellAsTorchserve } from "./torchserve-call.ts";
import { readHandlerRequest } from "./torchserve-request.ts";
import { encodeHandlerPiece, encodeHandlerResponse, prettyJson } from "./torchserve-response.ts";
import { workflowRoutes } from "./torchserve-workflows.ts";

const PREDICTIONS = ["/predictions/:model", "/predictions/:model/:version"] as const;
const EXPLANATIONS = ["/explanations/:model", "/explanations/:model/:version"] as const;
/** What a handler knows by that it is asked for explanations. */
const EXPLAIN = { explain: "True" };

/**
 * TorchServe's inference API. `v1`: the route of TensorFlow Serving's API whose URLs TorchServe has as well; it takes what is no archive.
 * `withManagement`: the management API is on the same port.
 */
export function torchserveRoutes(v1: Route, apis: TorchserveApis): readonly Route[] {
  const { withManagement, management } = apis;
  const run = (call: RestCall, params: RouteParams, dialect: HandlerDialect): void => {
    spellAsTorchserve(call, params, management);
    runInference(call, askedModelOf(call, { ...params, version: plainVersion(params) }), dialect);
  };
  const predict: Route["run"] = (call, params) => run(call, params, PREDICT);
  const explain: Route["run"] = (call, params) => run(call, params, EXPLAINED);
  const answerDescription = (call: RestCall): void =>
    sendPretty(call, 200, TORCHSERVE_APIS[withManagement ? "both" : "inference"]);
  const routes: readonly Route[] = [
    { method: "GET", urls: ["/ping"], needs: "nothing", run: answerPing },
    { method: "POST", urls: PREDICTIONS, run: predict },
    { method: "PUT", urls: PREDICTIONS, run: predict },
    { method: "OPTIONS", urls: PREDICTIONS, run: answerModelDescription },
    { method: "POST", urls: EXPLANATIONS, run: explain },
    { method: "PUT", urls: EXPLANATIONS, run: explain },
    {
      ...v1,
      run(call, params) {
        const asked = verbOf(call, params);
        if (asked === undefined) return v1.run(call, params);
        run(call, { model: asked.model }, asked.dialect);
      },
    },
    ...workflowRoutes(apis),
    { method: "OPTIONS", urls: ["/"], needs: "nothing", run: answerDescription },
    { method: "GET", urls: ["/api-description"], needs: "nothing", run: answerDescription },
  ];
  return forTokens(routes, apis);
}

type HandlerDialect = RestDialect<DecodedRequest & Partial<Pick<PredictRequest, "unbatched">>>;

function handlerDialect(own: Readonly<Record<string, string>>): HandlerDialect {
  return {
    takesAnyBody: true,
    needsInputs: () => true,
    decode(call, body, inputs) {
      return takesAnyBody(inputs!)
        ? readHandlerRequest(call, body, own)
        : readPrediction(call, body, inputs!);
    },
    encodePiece: encodeHandlerPiece,
    encode(call, response, { unbatched }) {
      if (unbatched === undefined) return encodeHandlerResponse(response);
      return call.workOff(outputBytes(response), encodePrediction(response, unbatched));
    },
  };
}

const PREDICT = handlerDialect({});
const EXPLAINED = handlerDialect(EXPLAIN);

/** What `POST /v1/models/{model}:predict` asks of an archive; undefined: it is none. */
function verbOf(
  call: RestCall,
  { model = "", version }: RouteParams,
): { readonly model: string; readonly dialect: HandlerDialect } | undefined {
  const [, name, verb] = /^(.+):(predict|explain)$/.exec(model) ?? [];
  if (version !== undefined || name === undefined || !isArchive(call, name)) return undefined;
  return { model: name, dialect: verb === "explain" ? EXPLAINED : PREDICT };
}

function isArchive(call: RestCall, name: string): boolean {
  try {
    return takesAnyBody(call.context.inference.loadedInputs(name, undefined) ?? []);
  } catch {
    return false;
  }
}

function answerPing(call: RestCall): void {
  const { inference, isDraining } = call.context;
  const isHealthy = inference.isReady() && !isDraining();
  sendPretty(call, isHealthy ? 200 : 500, { status: isHealthy ? "Healthy" : "Unhealthy" });
}

function answerModelDescription(call: RestCall, params: RouteParams): void {
  spellAsTorchserve(call, params);
  const name = params["model"] ?? "";
  checkModelName(name);
  const { inference } = call.context;
  sendPretty(call, 200, modelApi(inference.modelMetadata(name, plainVersion(params)).name));
}

function sendPretty(call: RestCall, status: number, value: unknown): void {
  call.send(status, JSON_TYPE, prettyJson(value));
}
