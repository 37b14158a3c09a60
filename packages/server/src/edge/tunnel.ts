import { type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";

/** A private connection of HTTP/2 to the edges of the server process, which answer what an edge process does not. */
export interface Tunnel {
  /** Begins a request. Its `error` event is heard; `close` follows. */
  request(headers: OutgoingHttpHeaders, options: { readonly endStream: boolean }): ClientHttp2Stream;
  /** Idempotent. */
  close(): void;
}

/** What may be under way in a stream, and in all of them, before this process has passed it on. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
/** In MiB. */
const SESSION_MEMORY = 1024;
const MAX_STREAMS = 100_000;

/** `socket`: this process's end of a socket pair; the other end serves HTTP/2. */
export function openTunnel(socket: Duplex): Tunnel {
  const session = connect("http://127.0.0.1", {
    createConnection: () => socket,
    maxSessionMemory: SESSION_MEMORY,
    peerMaxConcurrentStreams: MAX_STREAMS,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
  });
  session.once("connect", () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
  session.setMaxListeners(0);
  // Its requests hear of it.
  session.on("error", ignore);
  return {
    request(headers, options) {
      const stream = session.request(headers, options);
      stream.on("error", ignore);
      return stream;
    },
    close: () => session.close(),
  };
}

function ignore(): void {}
