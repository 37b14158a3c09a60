import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { ServeError } from "../base/errors.ts";

/** The connection that a call came over. */
export interface CallConnection {
  readonly destroyed: boolean;
  readonly socket: { readonly bytesWritten: number };
  destroy(): void;
}

/** What carries a gRPC call, as far as a call knows it: a stream of HTTP/2, or another protocol's request that looks like one. */
export interface CallStream {
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  readonly closed: boolean;
  readonly session?: CallConnection | undefined;
  on(event: "data", listener: (bytes: Buffer) => void): unknown;
  on(event: "end" | "aborted" | "close" | "wantTrailers", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  once(event: "close", listener: () => void): unknown;
  setMaxListeners(count: number): unknown;
  pause(): unknown;
  resume(): unknown;
  respond(
    headers: OutgoingHttpHeaders,
    options: { readonly endStream?: boolean; readonly waitForTrailers?: boolean },
  ): void;
  sendTrailers(trailers: OutgoingHttpHeaders): void;
  write(frame: Buffer, done: (error?: Error | null) => void): unknown;
  /** After the last frame; asks for trailers (`wantTrailers`). */
  end(frame?: Buffer): unknown;
  close(code?: number): void;
}

/** Who calls. */
export interface Peer {
  /** It left a call before that was answered. */
  leftCall(): void;
}

/** A call that came in another protocol than gRPC over HTTP/2. */
export interface ForeignCall {
  readonly stream: CallStream;
  /** As gRPC has them. */
  readonly headers: IncomingHttpHeaders;
  readonly peer: Peer;
  /** When its headers came. */
  readonly receivedMs: number;
}

/** Has a call answered by gRPC's methods. The result can end it; undefined: it has ended already. */
export type OpenForeignCall = (call: ForeignCall) => { fail(error: ServeError): void } | undefined;
