import { ServeError } from "../../base/errors.ts";
import type { CallHandlers, GrpcCall, GrpcMethod } from "./grpc-call.ts";
import { frameOf } from "./message-frame.ts";

/** A method with one request and one response. `handle` may throw ServeError. */
export function unaryMethod(
  path: string,
  handle: (bytes: Buffer, call: GrpcCall) => Promise<Uint8Array>,
): GrpcMethod {
  return {
    path,
    requestStream: false,
    open: (call) => new UnaryCall(call, async (bytes) => call.reply(frameOf(await handle(bytes, call)))),
  };
}

/** Waits for the only request and the client's half-close, then has it answered. */
export class UnaryCall implements CallHandlers {
  readonly #call: GrpcCall;
  readonly #answer: (request: Buffer) => Promise<void>;
  #request: Buffer | undefined;

  /** What `answer` throws is the status of the call. */
  constructor(call: GrpcCall, answer: (request: Buffer) => Promise<void>) {
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
    this.#answer(request).catch((thrown: unknown) => this.#call.fail(ServeError.from(thrown)));
  }
}

/** gRPC gives broken cardinality the code UNIMPLEMENTED ("Status codes and their use"). */
function cardinality(what: string): ServeError {
  return new ServeError("unimplemented", `this method takes one request message; there was ${what}`, {
    reason: "cardinality",
  });
}
