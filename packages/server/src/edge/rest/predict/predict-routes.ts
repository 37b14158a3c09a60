import { outputBytes } from "../../../base/infer-request.ts";
import { defaultModelOf } from "../../default-model.ts";
import { askedModelOf } from "../call/asked-model.ts";
import { type RestDialect, runInference } from "../call/rest-inference.ts";
import type { Route } from "../call/route.ts";
import { type PredictRequest, readPrediction } from "./predict-request.ts";
import { encodePrediction } from "./predict-response.ts";

/**
 * `POST /predict/{model}`: `{"input": …}` → `{"prediction": …}`, shapes and datatypes taken from the model's signature. PUT as well: that is what
 * `curl -T FILE` sends.
 */
export function predictRoutes(): readonly Route[] {
  return (["POST", "PUT"] as const).flatMap((method): Route[] => [
    {
      method,
      urls: ["/predict"],
      run: (call) =>
        runInference(call, askedModelOf(call, { model: defaultModelOf(call.context, inUrl) }), PREDICT),
    },
    {
      method,
      urls: ["/predict/:model", "/predict/:model/versions/:version"],
      asks: ({ model, version }) => ({ model, version }),
      run: (call, params) => runInference(call, askedModelOf(call, params), PREDICT),
    },
  ]);
}

const inUrl = (name: string): string => `POST /predict/${name}`;

const PREDICT: RestDialect<PredictRequest> = {
  needsInputs: () => true,
  runTask: async (call, body, task) => (await import("./task-call.ts")).runTask(call, body, task),
  decode(call, body, inputs) {
    return readPrediction(call, body, inputs!);
  },
  encode(call, response, { unbatched }) {
    return call.workOff(outputBytes(response), encodePrediction(response, unbatched));
  },
};
