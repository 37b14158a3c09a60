import { peekModel } from "@sconce/protocol/grpc";
import type { CancelSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import type { TracedCall } from "../../base/request-trace.ts";
import type { Timeline } from "../../base/timeline.ts";
import { serverTiming } from "../inference-metrics.ts";
import { routeKeyOfCall, tenantOf, tracedCall } from "./call-facts.ts";
import { oipDialect, predictDialect } from "./dialects.ts";
import type { GrpcCall, GrpcMethod } from "./grpc-call.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import type { Arrival, Dialect, Failure, InferenceDeps, InferenceReceiver } from "./inquiry.ts";
import { rejectArriving } from "./reject-arriving.ts";
import { runInference } from "./run-inference.ts";
import { OK_TRAILERS } from "./status.ts";
import { UnaryCall } from "./unary-method.ts";

/** The methods that answer one inference: ModelInfer and Predict. */
export function inferMethods(deps: InferenceDeps, limits: GrpcLimits): GrpcMethod[] {
  return [
    inferMethod("/inference.GRPCInferenceService/ModelInfer", deps, {
      dialect: oipDialect(limits, deps.typedResponses),
      limits,
    }),
    inferMethod("/sconce.v1.ModelServing/Predict", deps, { dialect: predictDialect(limits), limits }),
  ];
}

function inferMethod(
  path: string,
  deps: InferenceDeps,
  { dialect, limits }: { readonly dialect: Dialect; readonly limits: GrpcLimits },
): GrpcMethod {
  const answer = (message: Buffer, call: GrpcCall): void => {
    const inference = new UnaryInference(deps, call);
    runInference(deps, { dialect, message, arrival: inference, receiver: inference });
  };
  return {
    path,
    requestStream: false,
    open: (call) => new UnaryCall(call, answer),
    onArriving(call, beginning) {
      const reject = (error: ServeError): boolean => {
        if (call.ended) return false;
        call.fail(error);
        return true;
      };
      const arrival = new UnaryInference(deps, call);
      rejectArriving(deps, peekModel(beginning, limits.codec), { arrival, reject });
    },
  };
}

/** The same for a dialect whose code loads at the first call. */
export function lateInferMethod(
  path: string,
  deps: InferenceDeps,
  dialect: () => Promise<Dialect>,
): GrpcMethod {
  const run = async (message: Buffer, call: GrpcCall): Promise<void> => {
    const inference = new UnaryInference(deps, call);
    runInference(deps, { dialect: await dialect(), message, arrival: inference, receiver: inference });
  };
  return { path, requestStream: false, open: (call) => new UnaryCall(call, run) };
}

/** The only message of a call. */
export class UnaryInference implements Arrival, InferenceReceiver {
  readonly receivedMs: number;
  readonly bodyMs: number;
  readonly deadlineMs: number | undefined;
  readonly tenant: string | undefined;
  readonly routeKey: string | undefined;
  readonly #call: GrpcCall;

  constructor(deps: InferenceDeps, call: GrpcCall) {
    this.receivedMs = call.receivedMs;
    this.bodyMs = deps.clock.nowMs();
    this.deadlineMs = call.deadlineMs;
    this.tenant = tenantOf(deps, call);
    this.routeKey = routeKeyOfCall(deps, call);
    this.#call = call;
  }

  get signal(): CancelSignal {
    return this.#call.signal;
  }

  get traceparent(): string | undefined {
    return this.#call.header("traceparent");
  }

  traced(): TracedCall {
    return tracedCall(this.#call);
  }

  /** It is the only message of its call, whose line in the log names it. */
  traceBegan(traceId: string): void {
    this.#call.traceId = traceId;
  }

  bound(deadlineMs: number): CancelSignal {
    this.#call.tighten(deadlineMs);
    return this.#call.signal;
  }
  answered(frame: Buffer, timeline: Timeline): void {
    try {
      this.#call.reply(frame, { ...OK_TRAILERS, "server-timing": serverTiming(timeline) });
    } catch (thrown) {
      this.#call.fail(ServeError.from(thrown));
    }
  }

  failed({ error }: Failure): void {
    this.#call.fail(error);
  }
}
