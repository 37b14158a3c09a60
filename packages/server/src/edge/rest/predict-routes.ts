import { NO_PARAMETERS } from "../../base/infer-request.ts";
import { type Exchange, JSON_TYPE } from "./exchange.ts";
import { type ModelName, readInferenceBody } from "./inference-body.ts";
import { readPredictRequest } from "./predict-request.ts";
import { encodePrediction } from "./predict-response.ts";
import type { Route, RouteParams } from "./route.ts";
import { readTimeouts } from "./timeouts.ts";
import { modelOf } from "./v2-routes.ts";

/** `POST /predict/{model}`: `{"input": …}` → `{"prediction": …}`, shapes and datatypes taken from the model's signature. */
export function predictRoutes(): readonly Route[] {
  return [
    { method: "POST", urls: ["/predict/:model", "/predict/:model/versions/:version"], run: answerPredict },
  ];
}

function answerPredict(exchange: Exchange, params: RouteParams): Promise<void> {
  const named = modelOf(params);
  return predictBody(exchange, readInferenceBody(exchange, named), named);
}

async function predictBody(
  exchange: Exchange,
  arriving: Promise<Buffer>,
  [model, version]: ModelName,
): Promise<void> {
  const { inference, clock, slicer } = exchange.context;
  const body = await arriving;
  exchange.timeline.bodyMs = clock.nowMs();
  const specs = await inference.acquireInputs(model, version, exchange.signal);
  const { inputs, unbatched } = await readPredictRequest(body, specs, exchange.reading(body.length));
  const response = await inference.infer({
    model,
    version,
    id: undefined,
    inputs,
    outputs: undefined,
    parameters: NO_PARAMETERS,
    priority: 0,
    deadlineMs: readTimeouts(exchange, new Map()),
    signal: exchange.signal,
    tenant: exchange.tenant,
    timeline: exchange.timeline,
  });
  const prediction = await encodePrediction(response, unbatched, slicer);
  exchange.answerInference(response, { body: prediction, type: JSON_TYPE });
}
