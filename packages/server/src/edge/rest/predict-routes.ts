import { NO_PARAMETERS } from "../../base/infer-request.ts";
import { type ModelName, readInferenceBody } from "./inference-body.ts";
import { readPredictRequest } from "./predict-request.ts";
import { encodePrediction } from "./predict-response.ts";
import { JSON_TYPE, type RestCall } from "./rest-call.ts";
import type { Route, RouteParams } from "./route.ts";
import { readTimeouts } from "./timeouts.ts";
import { modelOf } from "./v2-routes.ts";

/** `POST /predict/{model}`: `{"input": …}` → `{"prediction": …}`, shapes and datatypes taken from the model's signature. */
export function predictRoutes(): readonly Route[] {
  return [
    { method: "POST", urls: ["/predict/:model", "/predict/:model/versions/:version"], run: answerPredict },
  ];
}

function answerPredict(call: RestCall, params: RouteParams): Promise<void> {
  call.model = params["model"];
  const named = modelOf(params);
  return predictBody(call, readInferenceBody(call, named), named);
}

async function predictBody(
  call: RestCall,
  arriving: Promise<Buffer>,
  [model, version]: ModelName,
): Promise<void> {
  const { inference, clock, slicer } = call.context;
  const body = await arriving;
  call.timeline.bodyMs = clock.nowMs();
  const specs = await inference.acquireInputs(model, version, call.signal);
  const { inputs, unbatched } = await readPredictRequest(body, specs, call.reading(body.length));
  const response = await inference.infer({
    model,
    version,
    id: undefined,
    inputs,
    outputs: undefined,
    parameters: NO_PARAMETERS,
    priority: 0,
    deadlineMs: readTimeouts(call, new Map()),
    signal: call.signal,
    tenant: call.tenant,
    timeline: call.timeline,
  });
  const prediction = await encodePrediction(response, unbatched, slicer);
  call.sendInference(response, { body: prediction, type: JSON_TYPE });
}
