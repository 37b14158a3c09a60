import { Metadata } from "@grpc/grpc-js";
import { serverTiming } from "../inference-metrics.ts";
import { oipDialect, predictDialect } from "./dialects.ts";
import { type GrpcMethod, unaryMethod } from "./grpc-call.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import { type Dialect, type InferenceDeps, isFailure, runInference, tenantOf } from "./run-inference.ts";

/** The methods that answer one inference: ModelInfer and Predict. */
export function inferMethods(deps: InferenceDeps, limits: GrpcLimits): GrpcMethod[] {
  return [
    inferMethod("/inference.GRPCInferenceService/ModelInfer", deps, oipDialect(limits)),
    inferMethod("/sconce.v1.ModelServing/Predict", deps, predictDialect(limits)),
  ];
}

function inferMethod(path: string, deps: InferenceDeps, dialect: Dialect): GrpcMethod {
  return unaryMethod(path, async (bytes, call) => {
    const result = await runInference(deps, dialect, bytes, {
      receivedMs: call.receivedMs,
      bodyMs: deps.clock.nowMs(),
      signal: call.signal,
      deadlineMs: call.deadlineMs,
      tenant: tenantOf(deps, call),
      bound(deadlineMs) {
        call.tighten(deadlineMs);
        return call.signal;
      },
    });
    if (isFailure(result)) throw result.error;
    const trailers = new Metadata();
    trailers.set("server-timing", serverTiming(result.timeline));
    return { bytes: result.bytes, trailers };
  });
}
