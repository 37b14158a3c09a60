import { ServeError } from "../../base/errors.ts";
import { once } from "../../base/once.ts";
import { failureOverGrpc } from "../torchserve/torchserve-failure.ts";
import type { DrainSignal } from "./drain-signal.ts";
import type { CallHandlers, GrpcCall, GrpcMethod } from "./grpc-call.ts";
import { UnaryInference } from "./infer-methods.ts";
import { inferenceStream } from "./inference-stream.ts";
import type { InferenceDeps } from "./inquiry.ts";
import { frameOf } from "./message-frame.ts";
import { runInference } from "./run-inference.ts";
import { UnaryCall, unaryMethod } from "./unary-method.ts";

const SERVICE = "/org.pytorch.serve.grpc.inference.InferenceAPIsService";

/** TorchServe's inference over gRPC, of archives. Their codec loads at the first call. */
export function torchserveInferenceMethods(deps: InferenceDeps, drain: DrainSignal): GrpcMethod[] {
  const codec = once(() => import("./torchserve-codec.ts"));
  const predict = (path: string, { inPieces }: { readonly inPieces: boolean }): GrpcMethod => ({
    path,
    requestStream: false,
    open: (call) =>
      new UnaryCall(call, async (message) => {
        const { predictionsDialect, encodePiece } = await codec();
        const inference = new UnaryInference(deps, call);
        runInference(deps, {
          dialect: predictionsDialect(deps.inference, { inPieces }),
          message,
          arrival: inference,
          onPiece: inPieces ? (piece) => sendPiece(call, encodePiece(piece)) : undefined,
          receiver: {
            answered: (frame, timeline) => inference.answered(frame, timeline),
            failed: (failure) => inference.failed({ ...failure, error: failureOverGrpc(failure.error) }),
          },
        });
      }),
  });
  return [
    {
      ...unaryMethod(`${SERVICE}/Ping`, async () => (await codec()).encodePing(deps.inference.isReady())),
      needs: "nothing",
    },
    predict(`${SERVICE}/Predictions`, { inPieces: false }),
    predict(`${SERVICE}/StreamPredictions`, { inPieces: true }),
    {
      path: `${SERVICE}/StreamPredictions2`,
      requestStream: true,
      open: (call) =>
        lateStream(call, async () => {
          const dialect = (await codec()).sequenceDialect(deps.inference);
          // Each is answered before the next one is read: they are a sequence.
          return inferenceStream(deps, call, { dialect, maxInFlight: 1, failuresEndStream: false, drain });
        }),
    },
  ];
}

/** A stream whose code loads when it is opened. Until then its messages wait. */
function lateStream(call: GrpcCall, make: () => Promise<CallHandlers>): CallHandlers {
  const made = make();
  const fail = (thrown: unknown): void => call.fail(ServeError.from(thrown));
  return {
    onMessage: (message) => void made.then((handlers) => handlers.onMessage(message)).catch(fail),
    onHalfClose: () => void made.then((handlers) => handlers.onHalfClose()).catch(fail),
  };
}

function sendPiece(call: GrpcCall, message: Uint8Array): void {
  try {
    call.send(frameOf(message));
  } catch (thrown) {
    call.fail(ServeError.from(thrown));
  }
}
