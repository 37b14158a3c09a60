import type { Writable } from "node:stream";
import type { RestCall } from "../call/rest-call.ts";
import { connectError, type RpcTrailers, readEnd } from "./connect-status.ts";
import { messageIn } from "./envelopes.ts";
import type { RpcSink } from "./rpc-stream.ts";
import type { RpcWire } from "./rpc-wire.ts";

/** Sends messages as they come. */
export function streamingSink(call: RestCall, wire: RpcWire): RpcSink {
  const { context, request, transport } = call;
  let response: Writable | undefined;
  const begun = (): Writable => {
    if (response !== undefined) return response;
    const forPages = context.webGate.responseHeaders(request.headers.origin);
    const headers = ["Content-Type", wire.contentType, "X-Request-Id", call.id, ...forPages];
    response = transport.begin(call, 200, headers);
    // A response that broke takes nothing more, and says so by an event; "close" follows.
    response.on("error", ignore);
    return response;
  };
  return {
    message(frame, done) {
      const bytes = wire.write(frame);
      const open = begun();
      if (!open.destroyed) open.write(bytes, done);
    },
    end(trailers) {
      const open = begun();
      if (!open.destroyed) open.end(wire.end(readEnd(trailers)));
    },
  };
}

const NOTHING: Buffer = Buffer.alloc(0);

function ignore(): void {}

/** Connect's unary responses: a bare message, or an error with a status of HTTP. `spell`: from protobuf's bytes to the response's. */
export function unarySink(
  call: RestCall,
  { contentType, spell }: { readonly contentType: string; spell(message: Buffer): Buffer },
): RpcSink {
  let message: Buffer | undefined;
  return {
    message(frame, done) {
      message = spell(messageIn(frame));
      done();
    },
    end(trailers: RpcTrailers) {
      const end = readEnd(trailers);
      const headers = end.metadata.flatMap(([name, value]) => [`Trailer-${name}`, value]);
      try {
        if (end.status === 0) call.send(200, contentType, message ?? NOTHING, headers);
        else {
          const { status, error } = connectError(end);
          call.send(status, "application/json", Buffer.from(JSON.stringify(error)), headers);
        }
      } catch (thrown) {
        // There is no room for the response.
        call.fail(thrown);
      }
    },
  };
}
