import { Metadata } from "@grpc/grpc-js";
import { peekModel } from "@sconce/protocol/grpc";
import { serverTiming } from "../inference-metrics.ts";
import { oipDialect, predictDialect } from "./dialects.ts";
import { type GrpcCall, type GrpcMethod, unaryMethod } from "./grpc-call.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import {
  type Arrival,
  type Dialect,
  type InferenceDeps,
  isFailure,
  rejectArriving,
  runInference,
  tenantOf,
} from "./run-inference.ts";

/** The methods that answer one inference: ModelInfer and Predict. */
export function inferMethods(deps: InferenceDeps, limits: GrpcLimits): GrpcMethod[] {
  return [
    inferMethod("/inference.GRPCInferenceService/ModelInfer", deps, { dialect: oipDialect(limits), limits }),
    inferMethod("/sconce.v1.ModelServing/Predict", deps, { dialect: predictDialect(limits), limits }),
  ];
}

function inferMethod(
  path: string,
  deps: InferenceDeps,
  { dialect, limits }: { readonly dialect: Dialect; readonly limits: GrpcLimits },
): GrpcMethod {
  const method = unaryMethod(path, async (bytes, call) => {
    const result = await runInference(deps, dialect, bytes, new UnaryArrival(deps, call));
    if (isFailure(result)) throw result.error;
    const trailers = new Metadata();
    trailers.set("server-timing", serverTiming(result.timeline));
    return { bytes: result.bytes, trailers };
  });
  return {
    ...method,
    onArriving(call, beginning) {
      rejectArriving(deps, peekModel(beginning, limits.codec), new UnaryArrival(deps, call));
    },
  };
}

/** The only message of a call. */
class UnaryArrival implements Arrival {
  readonly receivedMs: number;
  readonly bodyMs: number;
  readonly deadlineMs: number | undefined;
  readonly tenant: string | undefined;
  readonly #call: GrpcCall;

  constructor(deps: InferenceDeps, call: GrpcCall) {
    this.receivedMs = call.receivedMs;
    this.bodyMs = deps.clock.nowMs();
    this.deadlineMs = call.deadlineMs;
    this.tenant = tenantOf(deps, call);
    this.#call = call;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  bound(deadlineMs: number): AbortSignal {
    this.#call.tighten(deadlineMs);
    return this.#call.signal;
  }
}
