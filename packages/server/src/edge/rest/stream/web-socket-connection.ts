import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type WebSocket from "ws";
import { RequestStream } from "../../../base/request-stream.ts";
import { type ErrorResponse, errorResponse } from "../call/error-response.ts";
import { askWhetherThere } from "../call/half-closed.ts";
import { RestCall } from "../call/rest-call.ts";
import type { RestContext } from "../call/rest-context.ts";
import type { RespondingCall } from "../call/rest-transport.ts";
import { ArrivingMessage } from "./arriving-message.ts";
import { MessageTransport, messageHeaders, type StreamFrame } from "./message-transport.ts";
import { UnreadFrame } from "./unread-frame.ts";
import type { WebSocketLimits } from "./web-socket-limits.ts";

/** RFC 6455 §7.4.1, and IANA's registry. */
const GOING_AWAY = 1001;
const TRY_AGAIN_LATER = 1013;
/** In a drain a connection is closed when all is answered and nothing came for this long: what its client sent before it could know is still read. */
const QUIET_MS = 250;

export interface WebSocketConnectionOptions {
  readonly context: RestContext;
  /** Runs one message, or answers it with why not. */
  enter(call: RestCall): void;
  readonly limits: WebSocketLimits;
  /** The request that opened it. */
  readonly request: IncomingMessage;
  onClosed(connection: WebSocketConnection): void;
}

interface Message {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/**
 * A WebSocket of one model: each message is a request, answered when it is ready; those of one sequence, by default all of the connection, in
 * their order. While `maxInFlight` are between "read" and "answer taken", nothing more is read.
 */
export class WebSocketConnection {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #options: WebSocketConnectionOptions;
  readonly #url: string;
  readonly #headers: IncomingMessage["headers"];
  readonly #stream = new RequestStream();
  readonly #open = new Set<RestCall>();
  /** What the library had read already when there was enough in flight: a piece of the connection at most. */
  readonly #waiting: Message[] = [];
  readonly #arriving: ArrivingMessage;
  #count = 0;
  /** What the next pong repeats. */
  #ping: Buffer | undefined;
  #lastMs: number;
  #isDraining = false;
  #cancelTimer: () => void;

  constructor(webSocket: WebSocket, socket: Socket, options: WebSocketConnectionOptions) {
    const { context, request, limits } = options;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#options = options;
    this.#url = request.url ?? "";
    this.#headers = messageHeaders(request.headers);
    this.#lastMs = context.clock.nowMs();
    this.#cancelTimer = context.clock.after(limits.idleMs, () => this.#closeIfIdle(limits.idleMs, "idle"));
    this.#arriving = new ArrivingMessage(context, socket, (error) =>
      this.#webSocket.close(TRY_AGAIN_LATER, error.reason),
    );
    webSocket.on("message", (data: Buffer, isBinary: boolean) => this.#onMessage({ data, isBinary }));
    webSocket.on("ping", (data: Buffer) => this.#onPing(data));
    webSocket.on("error", () => {});
    webSocket.on("close", () => this.#onClose());
  }

  /** Answers what was asked, then says goodbye. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#closeWhenQuiet();
  }

  #onMessage(message: Message): void {
    this.#lastMs = this.#options.context.clock.nowMs();
    if (this.#open.size < this.#options.limits.maxInFlight && this.#waiting.length === 0) {
      this.#arriving.complete();
      this.#begin(message);
    } else {
      this.#arriving.wait();
      this.#waiting.push(message);
      this.#pause();
    }
  }

  /** A connection that is not read does not show that its client left: it is asked. */
  #pause(): void {
    const webSocket = this.#webSocket;
    if (webSocket.isPaused) return;
    webSocket.pause();
    askWhetherThere(
      {
        isOver: () => !webSocket.isPaused || webSocket.readyState !== webSocket.OPEN,
        ask: () => webSocket.ping(),
      },
      this.#options.context.clock,
    );
  }

  #begin(message: Message): void {
    const { context, enter } = this.#options;
    const number = this.#count++;
    const transport = new MessageTransport(message, {
      url: this.#url,
      headers: this.#headers,
      stream: this.#stream,
      respond: (call, frame) => this.#send(call, frame),
    });
    const call = new RestCall(context, transport);
    call.spellError = (error, random) => withPlace(errorResponse(error, random), number, transport.id);
    this.#open.add(call);
    enter(call);
  }

  #send(responding: RespondingCall, { isBinary, parts }: StreamFrame): void {
    // Each is one of ours.
    const call = responding as RestCall;
    const webSocket = this.#webSocket;
    if (webSocket.readyState !== webSocket.OPEN) {
      // Nobody will read it, nor what would be said to the messages behind it.
      this.#waiting.length = 0;
      call.end();
      this.#open.delete(call);
      return;
    }
    let unread: UnreadFrame | undefined;
    const onFlushed = (): void => {
      unread?.stop();
      this.#taken(call);
    };
    const last = parts.length - 1;
    for (let i = 0; i < last; i++) webSocket.send(parts[i]!, { binary: isBinary, fin: false });
    webSocket.send(parts[last]!, { binary: isBinary, fin: true }, onFlushed);
    if (this.#socket.writableLength > 0) unread = new UnreadFrame(call, this.#socket);
  }

  /** Its client has it, or will never have it. */
  #taken(call: RestCall): void {
    call.end();
    this.#open.delete(call);
    this.#lastMs = this.#options.context.clock.nowMs();
    while (this.#open.size < this.#options.limits.maxInFlight) {
      const next = this.#waiting.shift();
      if (next === undefined) {
        if (this.#webSocket.isPaused) this.#webSocket.resume();
        break;
      }
      if (this.#waiting.length === 0) this.#arriving.complete();
      this.#begin(next);
    }
    if (this.#isDraining) this.#closeWhenQuiet();
  }

  /** The last of those that came in one turn is answered, as RFC 6455 §5.5.3 allows: ten thousand come in one piece. */
  #onPing(data: Buffer): void {
    const isFirst = this.#ping === undefined;
    this.#ping = data;
    if (isFirst) setImmediate(() => this.#pong());
  }

  /** A client that asks for signs of life and reads none must not fill this process's memory with them. */
  #pong(): void {
    const data = this.#ping;
    this.#ping = undefined;
    if (this.#webSocket.bufferedAmount > this.#options.limits.maxUnreadBytes) this.#webSocket.terminate();
    else if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.pong(data);
  }

  #closeWhenQuiet(): void {
    if (this.#open.size > 0) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#options.context.clock.after(QUIET_MS, () =>
      this.#closeIfIdle(QUIET_MS, "the server is shutting down"),
    );
  }

  #closeIfIdle(idleMs: number, why: string): void {
    const { clock } = this.#options.context;
    const leftMs = this.#lastMs + idleMs - clock.nowMs();
    if (this.#open.size === 0 && leftMs <= 0) this.#webSocket.close(GOING_AWAY, why);
    else if (!this.#isDraining || this.#open.size === 0)
      this.#cancelTimer = clock.after(this.#open.size > 0 ? idleMs : leftMs, () =>
        this.#closeIfIdle(idleMs, why),
      );
  }

  #onClose(): void {
    this.#cancelTimer();
    this.#arriving.stop();
    this.#stream.close();
    this.#waiting.length = 0;
    for (const call of [...this.#open]) call.end();
    this.#open.clear();
    this.#options.onClosed(this);
  }
}

/** Which message failed: its own id where it could be read, and its number on the connection, from 0 on. */
function withPlace(response: ErrorResponse, message: number, id: string | undefined): ErrorResponse {
  const { status, body } = response;
  const own = { ...(id !== undefined && { id }), message, status };
  const text = String(body);
  return { ...response, body: Buffer.from(`${JSON.stringify(own).slice(0, -1)},${text.slice(1)}`) };
}
