import { ServeError } from "../../../base/errors.ts";
import { outputBytes } from "../../../base/infer-request.ts";
import { askedModelOf } from "../call/asked-model.ts";
import type { RestContext } from "../call/rest-context.ts";
import { type RestDialect, runInference } from "../call/rest-inference.ts";
import type { Route } from "../call/route.ts";
import { type PredictRequest, readPrediction } from "./predict-request.ts";
import { encodePrediction } from "./predict-response.ts";

/** `POST /predict/{model}`: `{"input": …}` → `{"prediction": …}`, shapes and datatypes taken from the model's signature. */
export function predictRoutes(): readonly Route[] {
  return [
    {
      method: "POST",
      urls: ["/predict"],
      run: (call) => runInference(call, askedModelOf(call, { model: defaultModel(call.context) }), PREDICT),
    },
    {
      method: "POST",
      urls: ["/predict/:model", "/predict/:model/versions/:version"],
      run: (call, params) => runInference(call, askedModelOf(call, params), PREDICT),
    },
  ];
}

/** Names in a message. */
const MAX_LISTED = 10;

/** The model of a request that names none. Throws `invalid_argument` when there are several, `not_found` when there is none. */
function defaultModel({ defaultModel: configured, inference }: RestContext): string {
  if (configured !== undefined) return configured;
  const names: string[] = [];
  for (const name of inference.modelNames()) {
    names.push(name);
    if (names.length > MAX_LISTED) break;
  }
  const [only] = names;
  if (only === undefined)
    throw new ServeError("not_found", "there are no models yet", { reason: "model_not_found" });
  if (names.length === 1) return only;
  const listed = names.slice(0, MAX_LISTED).join(", ") + (names.length > MAX_LISTED ? ", …" : "");
  throw new ServeError(
    "invalid_argument",
    `there are several models (${listed}): name one, as in POST /predict/${only}, or start the server with --default-model`,
    { reason: "no_model" },
  );
}

const PREDICT: RestDialect<PredictRequest> = {
  needsInputs: () => true,
  decode(call, body, inputs) {
    return readPrediction(call, body, inputs!);
  },
  encode(call, response, { unbatched }) {
    return call.workOff(outputBytes(response), encodePrediction(response, unbatched));
  },
};
