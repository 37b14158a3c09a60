import { ServeError } from "../../../base/errors.ts";
import { outputBytes } from "../../../base/infer-request.ts";
import { type TensorSpec, wireShape } from "../../../base/signature.ts";
import type { Datatype } from "../../../base/tensor.ts";
import { askedModelOf, modelOf } from "../call/asked-model.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import { type RestDialect, runInference } from "../call/rest-inference.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { readV1Request, type V1Request } from "./v1-request.ts";
import { encodeV1Response } from "./v1-response.ts";

const MODEL = "/v1/models/:model";
const VERSION = "/v1/models/:model/versions/:version";

/** TensorFlow Serving's REST API, and KServe's first protocol, which is made like it. The verb is part of the last segment: `digits:predict`. */
export function v1Routes(): readonly Route[] {
  return [
    { method: "GET", urls: ["/v1/models"], run: answerModels },
    { method: "GET", urls: [MODEL, VERSION], run: answerStatus },
    { method: "GET", urls: [`${MODEL}/metadata`, `${VERSION}/metadata`], run: answerMetadata },
    {
      method: "POST",
      urls: [MODEL, VERSION],
      asks: ({ model = "", version }) => ({
        model: withoutVerb(model),
        version: version && withoutVerb(version),
      }),
      run: (call, params) => runInference(call, askedModelOf(call, predictParams(params)), PREDICT),
    },
  ];
}

const PREDICT: RestDialect<V1Request> = {
  needsInputs: () => true,
  decode: (call, body, inputs) =>
    call.workOff(body.length, readV1Request(body, inputs!, call.context.limits)),
  encode: (call, response, { isByRow }) =>
    call.workOff(outputBytes(response), encodeV1Response(response, isByRow)),
};

/** Without the verb behind the last segment. Throws `not_found` for any other verb, and without one. */
function predictParams({ model = "", version }: RouteParams): RouteParams {
  const last = version ?? model;
  const at = last.lastIndexOf(":");
  if (at < 0 || last.slice(at) !== ":predict") {
    throw new ServeError(
      "not_found",
      `there is nothing to post to here but …:predict; POST ${`/v1/models/${model.split(":")[0]}`}:predict predicts`,
      {
        reason: "no_such_url",
      },
    );
  }
  const bare = last.slice(0, at);
  return version === undefined ? { model: bare } : { model, version: bare };
}

const VERB = ":predict";

function withoutVerb(segment: string): string {
  return segment.endsWith(VERB) ? segment.slice(0, -VERB.length) : segment;
}

async function answerModels(call: RestCall): Promise<void> {
  call.sendShared(JSON_TYPE, await call.context.shared.modelNames.get());
}

/** KServe's clients read `ready`, TensorFlow Serving's the versions. */
function answerStatus(call: RestCall, params: RouteParams): void {
  const { inference, isDraining, notReadyStatus } = call.context;
  const [name, version] = modelOf(params);
  const ready = inference.isModelReady(name, version) && !isDraining();
  const isLoaded = ready && inference.loadedInputs(name, version) !== undefined;
  const versions = isLoaded ? inference.modelMetadata(name, version).versions : [];
  const shown = version === undefined ? versions : versions.filter((other) => other === version);
  call.sendJson(ready ? 200 : notReadyStatus, {
    name,
    ready,
    model_version_status: shown.map((own) => ({
      version: own,
      state: "AVAILABLE",
      status: { error_code: "OK", error_message: "" },
    })),
  });
}

const DTYPES: Readonly<Record<Datatype, string>> = {
  BOOL: "DT_BOOL",
  UINT8: "DT_UINT8",
  UINT16: "DT_UINT16",
  UINT32: "DT_UINT32",
  UINT64: "DT_UINT64",
  INT8: "DT_INT8",
  INT16: "DT_INT16",
  INT32: "DT_INT32",
  INT64: "DT_INT64",
  FP16: "DT_HALF",
  BF16: "DT_BFLOAT16",
  FP32: "DT_FLOAT",
  FP64: "DT_DOUBLE",
  BYTES: "DT_STRING",
};

function answerMetadata(call: RestCall, params: RouteParams): void {
  const [asked, version] = modelOf(params);
  const { name, versions, inputs, outputs } = call.context.inference.modelMetadata(asked, version);
  const signature = {
    inputs: tensors(inputs),
    outputs: tensors(outputs),
    method_name: "tensorflow/serving/predict",
  };
  call.sendJson(200, {
    model_spec: { name, signature_name: "", version: version ?? versions.at(-1) ?? "" },
    metadata: { signature_def: { signature_def: { serving_default: signature } } },
  });
}

function tensors(specs: readonly TensorSpec[]): object {
  return Object.fromEntries(
    specs.map((spec) => [
      spec.name,
      {
        dtype: DTYPES[spec.datatype],
        tensor_shape: {
          dim: wireShape(spec).map((size) => ({ size: String(size), name: "" })),
          unknown_rank: spec.isRankFree === true,
        },
        name: spec.name,
      },
    ]),
  );
}
