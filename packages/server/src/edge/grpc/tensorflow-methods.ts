import { ServeError } from "../../base/errors.ts";
import { once } from "../../base/once.ts";
import type { GrpcMethod } from "./grpc-call.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import { lateInferMethod } from "./infer-methods.ts";
import type { InferenceDeps } from "./inquiry.ts";
import { unaryMethod } from "./unary-method.ts";

const PREDICTION = "/tensorflow.serving.PredictionService";
const MODELS = "/tensorflow.serving.ModelService";

/** TensorFlow Serving's gRPC services. Their code loads at the first call. */
export function tensorflowMethods(deps: InferenceDeps, limits: GrpcLimits): GrpcMethod[] {
  const dialect = once(async () => (await import("./tensorflow-dialect.ts")).tensorflowDialect(limits));
  const handlers = once(async () => (await import("./tensorflow-handlers.ts")).tensorflowHandlers(deps));
  return [
    lateInferMethod(`${PREDICTION}/Predict`, deps, dialect),
    unaryMethod(`${PREDICTION}/GetModelMetadata`, async (bytes) =>
      (await handlers()).GetModelMetadata(bytes),
    ),
    unaryMethod(`${MODELS}/GetModelStatus`, async (bytes) => (await handlers()).GetModelStatus(bytes)),
    ...["Classify", "Regress", "MultiInference"].map((name) =>
      notOffered(`${PREDICTION}/${name}`, "a model here takes tensors, not tf.Example: call Predict"),
    ),
    notOffered(
      `${MODELS}/HandleReloadConfigRequest`,
      "models are loaded by inference.GRPCInferenceService/RepositoryModelLoad",
    ),
  ];
}

function notOffered(path: string, instead: string): GrpcMethod {
  return unaryMethod(path, async () => {
    throw new ServeError("unimplemented", `${path.split("/").at(-1)} is not offered; ${instead}`, {
      reason: "no_such_method",
    });
  });
}
