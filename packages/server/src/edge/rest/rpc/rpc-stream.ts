import { EventEmitter } from "node:events";
import type { OutgoingHttpHeaders } from "node:http2";
import type { Readable } from "node:stream";
import { ServeError } from "../../../base/errors.ts";
import type { CallConnection, CallStream } from "../../call-stream.ts";
import type { RpcTrailers } from "./connect-status.ts";
import { trailersOf } from "./connect-status.ts";

/** Where the messages of a call come from, as gRPC's frames. */
export interface RpcSource {
  readonly body: Readable;
  /** Throw ServeError for what is wrong with the bytes. */
  read(bytes: Buffer): Buffer;
  readRest(): Buffer;
}

/** Where its answer goes. */
export interface RpcSink {
  /** Throws ServeError when the message cannot be spelled. */
  message(frame: Buffer, done: (error?: Error | null) => void): void;
  /** Once; nothing follows. */
  end(trailers: RpcTrailers): void;
}

/** A call of another protocol, made to look like a stream of HTTP/2: what bounds those, bounds these. */
export class RpcStream extends EventEmitter implements CallStream {
  readonly session: CallConnection;
  headersSent = false;
  destroyed = false;
  closed = false;
  readonly #source: RpcSource;
  readonly #sink: RpcSink;
  #isEnded = false;
  #isDeaf = false;

  constructor(source: RpcSource, sink: RpcSink, session: CallConnection) {
    super();
    this.#source = source;
    this.#sink = sink;
    this.session = session;
  }

  /**
   * Reads from the first listener for data on, as every stream does: it may have to be found out first who calls. `fail` is told what is wrong with
   * the bytes.
   */
  start(fail: (error: ServeError) => void): void {
    if (this.listenerCount("data") > 0) {
      this.#read(fail);
      return;
    }
    const onListener = (event: string): void => {
      if (event !== "data") return;
      this.off("newListener", onListener);
      this.#read(fail);
    };
    this.on("newListener", onListener);
  }

  #read(fail: (error: ServeError) => void): void {
    const { body } = this.#source;
    const hand = (read: () => Buffer): void => {
      if (this.#isDeaf) return;
      try {
        const frames = read();
        if (frames.length > 0) this.emit("data", frames);
      } catch (thrown) {
        this.#isDeaf = true;
        fail(ServeError.from(thrown));
      }
    };
    body.on("data", (bytes: Buffer) => hand(() => this.#source.read(bytes)));
    body.on("end", () => {
      hand(() => this.#source.readRest());
      if (!this.#isDeaf) this.emit("end");
    });
  }

  /** The connection is done with the call: all was sent, or the client left. */
  finish(): void {
    if (this.closed) return;
    this.closed = true;
    this.#isDeaf = true;
    if (!this.#isEnded) {
      this.destroyed = true;
      this.emit("aborted");
    }
    this.emit("close");
  }

  pause(): void {
    this.#source.body.pause();
  }

  resume(): void {
    this.#source.body.resume();
  }

  respond(headers: OutgoingHttpHeaders, { endStream = false }: { readonly endStream?: boolean }): void {
    this.headersSent = true;
    if (endStream) this.#end(headers);
  }

  sendTrailers(trailers: OutgoingHttpHeaders): void {
    this.#end(trailers);
  }

  write(frame: Buffer, done: (error?: Error | null) => void): void {
    if (this.#isEnded) return;
    try {
      this.#sink.message(frame, done);
    } catch (thrown) {
      this.#end(trailersOf(ServeError.from(thrown)));
      done(new Error("the message was not sent"));
    }
  }

  end(frame?: Buffer): void {
    if (frame !== undefined) this.write(frame, () => {});
    if (!this.#isEnded) this.emit("wantTrailers");
  }

  /** What still comes of the body is thrown away. */
  close(): void {
    this.#isDeaf = true;
    this.#source.body.resume();
  }

  #end(trailers: RpcTrailers): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#sink.end(trailers);
  }
}
