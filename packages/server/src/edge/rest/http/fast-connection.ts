import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { CallConnection } from "../../call-stream.ts";
import { askWhetherThere } from "../call/half-closed.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { RestContext } from "../call/rest-context.ts";
import type { EncodedResponse, RespondingCall, RestTransport } from "../call/rest-transport.ts";
import type { FoundRoute } from "../call/route-table.ts";
import { chunkedWriter } from "./chunked-writer.ts";
import { type FastHead, HeadMemory, readFastHead } from "./fast-head.ts";
import { responseHead } from "./fast-response-head.ts";
import { ResponseWriter } from "./response-writer.ts";

/** Larger requests cost so much else that it does not matter who reads them; smaller ones come in one piece, or in two. */
const MAX_REQUEST_BYTES = 64 * 1024;

const MAX_PIECES = 4;

/** A response up to this size is one write, with its head. */
const ONE_WRITE_BYTES = 16 * 1024;

const NO_BYTES: Buffer = Buffer.alloc(0);

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** A head whose route is known. */
export interface RoutedHead extends FastHead {
  readonly found: FoundRoute;
}

/** What a connection of the fast lane needs of the lane. */
export interface FastConnectionOwner {
  readonly context: RestContext;
  /** Where a head leads; undefined: `node:http` is to say what is wrong with it. */
  route(head: FastHead): FoundRoute | undefined;
  /** Begins a call. */
  open(connection: FastConnection): RestCall;
  run(call: RestCall, found: FoundRoute): void;
  /** `node:http` takes this connection from now on. */
  handOver(socket: Socket): void;
  /** The client sent something that cannot become a request any more. */
  rejectBroken(socket: Socket): void;
  /** More of a request has to come; nothing that was waited for has to come any more. */
  waiting(connection: FastConnection, isWaiting: boolean): void;
  onGone(connection: FastConnection): void;
  /** The value of a `Date` header. */
  date(): string;
}

/**
 * A connection of the fast lane: reads requests of the strictest shape, one after the other, and answers them. At the first request of another
 * shape, one that is large or takes its time, or one that comes before the response to another, the connection goes to `node:http` with all that
 * was read of that request and nothing answered of it.
 */
export class FastConnection implements RestTransport {
  readonly #socket: Socket;
  readonly #owner: FastConnectionOwner;
  readonly #memory = new HeadMemory<RoutedHead>();
  #request: RoutedHead | undefined;
  /** Read and not yet part of a request. */
  #pending: Buffer | undefined;
  #pieces = 0;
  #body: Buffer = NO_BYTES;
  #call: RestCall | undefined;
  #writer: ResponseWriter | undefined;
  #hasResponse = false;
  #isLast = false;
  #isGone = false;
  /** When the request that is waited for began to come, or since when the connection has been idle. */
  sinceMs: number;

  constructor(socket: Socket, owner: FastConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.sinceMs = owner.context.clock.nowMs();
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
    socket.on("error", ignore);
    socket.on("timeout", this.#onTimeout);
  }

  get request(): RoutedHead {
    return this.#request!; // a connection is asked for its request while it has one
  }

  get message(): Readable {
    throw new Error("a request of the fast lane came with its whole body");
  }

  get isComplete(): boolean {
    return true;
  }

  get connection(): CallConnection {
    const socket = this.#socket;
    return { destroyed: socket.destroyed, socket, destroy: () => socket.destroy() };
  }

  begin(_: RespondingCall, status: number, own: readonly string[]): Writable {
    const { context } = this.#owner;
    this.#hasResponse = true;
    this.#isLast ||= this.request.isLast || context.isDraining();
    const keepAliveMs = this.#isLast ? undefined : context.limits.keepAliveTimeoutMs;
    const headers = [...own, "Transfer-Encoding", "chunked"];
    this.#socket.write(responseHead({ status, headers, date: this.#owner.date(), keepAliveMs }), "latin1");
    return chunkedWriter(this.#socket, this.#onWritten);
  }

  /** Nothing is going on, and nothing has begun to come. */
  get isIdle(): boolean {
    return this.#call === undefined && this.#pending === undefined;
  }

  takeBody(): Buffer {
    return this.#body;
  }

  /** Who expects that is not of the lane's shape. */
  writeContinue(): void {}

  respond(call: RespondingCall, { status, parts, length, headers }: EncodedResponse): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    const { context } = this.#owner;
    this.#hasResponse = true;
    this.#isLast ||= this.request.isLast || context.isDraining() || closes(headers);
    const keepAliveMs = this.#isLast ? undefined : context.limits.keepAliveTimeoutMs;
    const head = responseHead({ status, headers, date: this.#owner.date(), keepAliveMs });
    if (parts.length > 1 || length > ONE_WRITE_BYTES) {
      this.#writer = this.#writerOf(call, [Buffer.from(head, "latin1"), ...parts]);
      this.#writer.write();
      return;
    }
    const bytes = Buffer.allocUnsafe(head.length + length);
    bytes.write(head, 0, "latin1");
    bytes.set(parts[0]!, head.length);
    socket.write(bytes, this.#onWritten);
    if (socket.writableLength === 0) return;
    this.#writer = this.#writerOf(call, [bytes]);
    this.#writer.watchWritten();
  }

  /** Ends the connection once it has nothing to do: what has begun to come is read by `node:http`. */
  closeWhenIdle(): void {
    if (this.#call !== undefined) this.#isLast = true;
    else if (this.#pending !== undefined) this.handOver();
    else this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Gives the connection to `node:http`, with what was read of the request that comes next. */
  handOver(): void {
    const socket = this.#socket;
    this.#leave();
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    socket.off("error", ignore);
    socket.off("timeout", this.#onTimeout);
    socket.pause();
    if (this.#pending !== undefined) socket.unshift(this.#pending);
    this.#pending = undefined;
    this.#owner.handOver(socket);
    socket.resume();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#pending = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
    if (this.#call === undefined) {
      this.#pieces += 1;
      this.#advance();
    } else this.#socket.pause();
  };

  /** Begins the request that comes next, if all of it is here. */
  #advance(): void {
    const bytes = this.#pending!;
    const head = this.#memory.recall(bytes, 0) ?? this.#read(bytes);
    if (head === "incomplete") {
      this.#waitForMore();
      return;
    }
    const size = head === "unusual" ? Number.POSITIVE_INFINITY : head.bytes + head.contentLength;
    if (head === "unusual" || size > MAX_REQUEST_BYTES) this.handOver();
    else if (size > bytes.length) this.#waitForMore();
    else if (size < bytes.length) this.handOver();
    else this.#begin(head, bytes);
  }

  #read(bytes: Buffer): RoutedHead | "incomplete" | "unusual" {
    const head = readFastHead(bytes, 0, this.#owner.context.limits);
    if (typeof head === "string") return head;
    const found = this.#owner.route(head);
    if (found === undefined) return "unusual";
    const routed: RoutedHead = Object.assign(head, { found });
    this.#memory.keep(routed, bytes, 0);
    return routed;
  }

  #waitForMore(): void {
    if (this.#pieces >= MAX_PIECES) this.handOver();
    else if (this.#pieces === 1) {
      this.sinceMs = this.#owner.context.clock.nowMs();
      this.#owner.waiting(this, true);
    }
  }

  #begin(head: RoutedHead, bytes: Buffer): void {
    this.#body = bytes.subarray(head.bytes);
    this.#pending = undefined;
    this.#request = head;
    const call = this.#owner.open(this);
    this.#call = call;
    if (this.#pieces > 1) {
      this.#owner.waiting(this, false);
      call.timeline.receivedMs = this.sinceMs;
    }
    this.#pieces = 0;
    this.#owner.run(call, head.found);
  }

  /** The system has taken the response. */
  readonly #onWritten = (): void => {
    const call = this.#call;
    if (call === undefined || this.#socket.destroyed) return;
    this.#call = undefined;
    this.#body = NO_BYTES;
    this.#hasResponse = false;
    if (this.#writer !== undefined) this.#stopWriter();
    call.end();
    this.sinceMs = this.#owner.context.clock.nowMs();
    if (this.#isLast) this.#socket.destroySoon();
    else if (this.#pending !== undefined) this.handOver();
  };

  #writerOf(call: RespondingCall, parts: readonly Uint8Array[]): ResponseWriter {
    const { context, heldBytes } = call;
    const stream = this.#socket;
    const target = {
      context,
      stream,
      socket: stream,
      heldBytes,
      onHanded: () => void stream.write(NO_BYTES, this.#onWritten),
      onEnded: () => call.release(),
    };
    return new ResponseWriter(target, parts);
  }

  #stopWriter(): void {
    this.#writer!.stop();
    this.#writer = undefined;
    this.#socket.setTimeout(0);
  }

  /** The client will send no more. It may still wait for its responses. */
  readonly #onEnd = (): void => {
    this.#isLast = true;
    if (this.#call !== undefined) this.#askWhetherThere();
    else if (this.#pending === undefined) this.#socket.destroySoon();
    else this.#owner.rejectBroken(this.#socket);
  };

  #askWhetherThere(): void {
    askWhetherThere(
      {
        isOver: () => this.#isGone || this.#hasResponse || this.#call === undefined,
        ask: () => void this.#socket.write(CONTINUE),
      },
      this.#owner.context.clock,
    );
  }

  readonly #onClose = (): void => {
    this.#leave();
    this.#call?.end();
    this.#writer?.stop();
  };

  readonly #onTimeout = (): void => {
    this.#socket.destroy();
  };

  #leave(): void {
    this.#isGone = true;
    this.#owner.onGone(this);
  }
}

function closes(headers: readonly string[]): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === "Connection") return true;
  return false;
}

function ignore(): void {}
