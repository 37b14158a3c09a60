import {
  oipStreamDialect,
  plainStreamDialect,
  predictStreamDialect,
  type StreamDialect,
} from "./dialects.ts";
import type { DrainSignal } from "./drain-signal.ts";
import type { GrpcMethod } from "./grpc-call.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import { inferenceStream } from "./inference-stream.ts";
import type { InferenceDeps } from "./inquiry.ts";

/** The methods that answer many inferences over one call: ModelStreamInfer and StreamPredict. */
export function streamMethods(deps: InferenceDeps, limits: GrpcLimits, drain: DrainSignal): GrpcMethod[] {
  const isPlain = deps.streamResponses === "mlserver";
  const oip = isPlain
    ? plainStreamDialect(limits, deps.typedResponses)
    : oipStreamDialect(limits, deps.typedResponses);
  const streamMethod = (path: string, createDialect: () => StreamDialect): GrpcMethod => ({
    path,
    requestStream: true,
    open(call) {
      const dialect = createDialect();
      const failuresEndStream =
        dialect.encodeFailure === undefined || call.header("triton_grpc_error") === "true";
      const maxInFlight = limits.maxInFlightPerStream;
      return inferenceStream(deps, call, { dialect, maxInFlight, failuresEndStream, drain });
    },
  });
  return [
    streamMethod("/inference.GRPCInferenceService/ModelStreamInfer", () => oip),
    streamMethod("/sconce.v1.ModelServing/StreamPredict", () => predictStreamDialect(limits)),
  ];
}
