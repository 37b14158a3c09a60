import { constants } from "node:http2";
import type { CallStream } from "../call-stream.ts";

/** Reads what a client still sends, for nobody, and ends the stream if that is more than its end. */
export function discardRest(stream: CallStream): void {
  stream.on("data", () => closeSoon(stream));
}

/** Tells the client to keep the rest, after the status was sent. */
export function closeSoon(stream: CallStream): void {
  // In the same turn Node 26 would drop the status, which is still to be sent.
  setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
}
