import { ServeError } from "../../base/errors.ts";
import type { CallHandlers, GrpcCall, GrpcMethod } from "./grpc-call.ts";
import { frameOf } from "./message-frame.ts";

/** A method with one request and one response. `handle` may throw ServeError. */
export function unaryMethod(
  path: string,
  handle: (bytes: Buffer, call: GrpcCall) => Promise<Uint8Array>,
): GrpcMethod {
  const answer = async (bytes: Buffer, call: GrpcCall): Promise<void> =>
    call.reply(frameOf(await handle(bytes, call)));
  return {
    path,
    requestStream: false,
    open: (call) => new UnaryCall(call, answer),
  };
}

/** Answers the only request of a call. What it rejects with is the status of the call; it must not throw. */
type Answer = (request: Buffer, call: GrpcCall) => void | Promise<void>;

/** Waits for the only request and the client's half-close, then has it answered. */
export class UnaryCall implements CallHandlers {
  readonly #call: GrpcCall;
  readonly #answer: Answer;
  #request: Buffer | undefined;

  constructor(call: GrpcCall, answer: Answer) {
    this.#call = call;
    this.#answer = answer;
  }

  onMessage(bytes: Buffer): void {
    if (this.#request !== undefined) this.#call.fail(cardinality("more than one request message"));
    this.#request = bytes;
    this.#call.read();
  }

  onHalfClose(): void {
    const request = this.#request;
    if (request === undefined) {
      this.#call.fail(cardinality("no request message"));
      return;
    }
    this.#answer(request, this.#call)?.catch((thrown: unknown) => this.#call.fail(ServeError.from(thrown)));
  }
}

/** gRPC gives broken cardinality the code UNIMPLEMENTED ("Status codes and their use"). */
function cardinality(what: string): ServeError {
  return new ServeError("unimplemented", `this method takes one request message; there was ${what}`, {
    reason: "cardinality",
  });
}
