import { outputBytes } from "../../base/infer-request.ts";
import { type PredictRequest, readPredictRequest } from "./predict-request.ts";
import { encodePrediction } from "./predict-response.ts";
import { type RestDialect, runInference } from "./rest-inference.ts";
import type { Route } from "./route.ts";
import { askedModelOf } from "./v2-routes.ts";

/** `POST /predict/{model}`: `{"input": …}` → `{"prediction": …}`, shapes and datatypes taken from the model's signature. */
export function predictRoutes(): readonly Route[] {
  return [
    {
      method: "POST",
      urls: ["/predict/:model", "/predict/:model/versions/:version"],
      run: (call, params) => runInference(call, askedModelOf(call, params), PREDICT),
    },
  ];
}

const PREDICT: RestDialect<PredictRequest> = {
  needsInputs: () => true,
  decode(call, body, inputs) {
    return call.workOff(body.length, readPredictRequest(body, inputs!, call.context.limits));
  },
  encode(call, response, { unbatched }) {
    return call.workOff(outputBytes(response), encodePrediction(response, unbatched));
  },
};
