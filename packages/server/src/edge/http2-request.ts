import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Peer } from "./call-stream.ts";

/** A stream of HTTP/2 that has not been answered. */
export interface Http2Request {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly peer: Peer;
}
