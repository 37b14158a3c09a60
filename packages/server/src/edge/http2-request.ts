import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Peer } from "./call-stream.ts";

/** The scheme of requests that an edge process passes on which came by REST, whatever their content type says. No URL has it. */
export const REST_SCHEME = "sconce-rest";

/** A stream of HTTP/2 that has not been answered. */
export interface Http2Request {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly peer: Peer;
}
