import { ServeError } from "../../base/errors.ts";
import { once } from "../../base/once.ts";
import type { GrpcCall, GrpcMethod } from "./grpc-call.ts";
import { frameOf } from "./message-frame.ts";

/** `grpc.reflection.v1` and `v1alpha`: which services there are, for grpcurl and its like. Loads at the first call. */
export function reflectionMethods(): GrpcMethod[] {
  const answerer = once(async () => (await import("./reflection-responses.ts")).reflectionResponses());
  return ["v1", "v1alpha"].map((version) => ({
    path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    requestStream: true,
    needs: "nothing",
    open: (call) => inOrder(call, async (bytes) => (await answerer())(bytes)),
  }));
}

/** Answers a stream's messages one after another: the next one is read when the response is on its way. */
function inOrder(
  call: GrpcCall,
  answer: (bytes: Buffer) => Promise<Uint8Array>,
): ReturnType<GrpcMethod["open"]> {
  let isBusy = false;
  let isHalfClosed = false;
  const next = () => {
    isBusy = false;
    if (isHalfClosed) call.end();
    else call.read();
  };
  return {
    onMessage(bytes) {
      isBusy = true;
      answer(bytes)
        .then((result) => call.send(frameOf(result), next))
        .catch((thrown: unknown) => call.fail(ServeError.from(thrown)));
    },
    onHalfClose() {
      isHalfClosed = true;
      if (!isBusy) call.end();
    },
  };
}
