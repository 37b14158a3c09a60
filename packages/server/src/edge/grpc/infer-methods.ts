import { peekModel } from "@sconce/protocol/grpc";
import { serverTiming } from "../inference-metrics.ts";
import { oipDialect, predictDialect } from "./dialects.ts";
import type { GrpcCall, GrpcMethod } from "./grpc-call.ts";
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
import { OK_TRAILERS } from "./status.ts";
import { UnaryCall } from "./unary-method.ts";

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
  const answer = async (bytes: Buffer, call: GrpcCall): Promise<void> => {
    const result = await runInference(deps, dialect, bytes, new UnaryArrival(deps, call));
    if (isFailure(result)) call.fail(result.error);
    else call.reply(result.frame, { ...OK_TRAILERS, "server-timing": serverTiming(result.timeline) });
  };
  return {
    path,
    requestStream: false,
    open: (call) => new UnaryCall(call, (bytes) => answer(bytes, call)),
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
