import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import type { Http2Request } from "../http2-request.ts";
import type { Tunnel } from "../tunnel.ts";

/** gRPC's UNAVAILABLE: the client may try again. */
const GONE: OutgoingHttpHeaders = { "grpc-status": "14", "grpc-message": "the server is shutting down" };

/** Passes a stream of gRPC on as it is, both ways, until both ends are done with it. */
export function forwardStream(
  { stream, headers, peer }: Omit<Http2Request, "rawHeaders">,
  tunnel: Tunnel,
): void {
  stream.on("error", ignore);
  if (stream.destroyed || stream.closed) {
    peer.leftCall();
    return;
  }
  const out = tunnel.request({ ...headers, ":scheme": "http" }, { endStream: stream.endAfterHeaders });
  let trailers = GONE;
  stream.on("aborted", () => peer.leftCall());
  stream.once("close", () => tunnel.giveUp(out));
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  out.once("response", (response, flags) => {
    if (stream.destroyed || stream.closed) return;
    const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    stream.respond(withoutDate(response), { endStream, waitForTrailers: !endStream });
    if (!endStream) out.pipe(stream);
  });
  out.once("trailers", (last) => {
    trailers = { ...last };
  });
  out.once("close", () => {
    stream.unpipe(out);
    if (stream.destroyed || stream.closed) return;
    if (!stream.headersSent) {
      stream.respond({ ":status": 200, "content-type": "application/grpc", ...GONE }, { endStream: true });
    } else if (!stream.writableEnded) stream.end();
    // As gRPC's servers do with what a client still sends when its call has ended.
    if (!stream.readableEnded)
      stream.on("data", () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)));
  });
  if (!stream.endAfterHeaders) stream.pipe(out);
}

/** Node adds one of its own. */
function withoutDate({ date: _, ...others }: IncomingHttpHeaders): OutgoingHttpHeaders {
  return others;
}

function ignore(): void {}
