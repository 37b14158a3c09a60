import type { IncomingMessage, ServerResponse } from "node:http";
import { ServeError } from "../../base/errors.ts";
import type { RequestHead } from "../../base/request-head.ts";
import { Timeline } from "../../base/timeline.ts";
import { SMALL_BYTES } from "../../gate/byte-budget.ts";
import { earliestDeadline, parseTimeoutMs } from "../../gate/deadline.ts";
import { requestId } from "../../gate/request-id.ts";
import { checkTenant } from "../../gate/tenant.ts";
import { serverTiming } from "../inference-metrics.ts";
import type { Slices } from "../slices.ts";
import { AnswerWriter } from "./answer-writer.ts";
import { compress } from "./compress.ts";
import { errorAnswer } from "./error-answer.ts";
import type { RestLimits } from "./limits.ts";
import type { RestContext } from "./rest-context.ts";

export const JSON_TYPE = "application/json";
export const BINARY_TYPE = "application/octet-stream";

const ONE_WRITE_BYTES = 16 * 1024;
const SMALL_BODY_BYTES = 64 * 1024;
const LINGER_MS = 1000;

/** What an inference answers with; `jsonBytes` of it are JSON when binary tensors follow. */
export interface InferenceBody {
  readonly body: Uint8Array | readonly Uint8Array[];
  readonly type: string;
  readonly jsonBytes?: number;
}

/** One HTTP request and its answer. Knows when the client left; gives back what the request held when the connection is done with it. */
export class Exchange implements RequestHead {
  readonly context: RestContext;
  readonly request: IncomingMessage;
  readonly timeline: Timeline;
  readonly id: string;
  /** The model that an inference asks for; other requests are not counted. */
  model: string | undefined;

  readonly #response: ServerResponse;
  /** The connection's, or this request's own when it has a deadline. */
  #controller: AbortController | undefined;
  #cancelDeadline: (() => void) | undefined;
  #entered = false;
  #heldBytes = 0;
  #answered = false;
  #isClosed = false;
  #isAskedForBody = false;

  constructor(context: RestContext, request: IncomingMessage, response: ServerResponse) {
    this.context = context;
    this.request = request;
    this.#response = response;
    this.timeline = new Timeline(context.clock.nowMs());
    const given = request.headers["x-request-id"];
    this.id = requestId(typeof given === "string" ? given : undefined, context.makeId);
    response.once("close", () => this.#closed());
  }

  /** Aborted when the client's connection closed before it was answered, or when the deadline passed. */
  get signal(): AbortSignal {
    this.#controller ??= this.context.connectionSignals.of(this.request.socket);
    return this.#controller.signal;
  }

  /** Whose request it is; undefined: nobody's in particular. Throws `invalid_argument`. */
  get tenant(): string | undefined {
    const { tenantHeader } = this.context;
    if (tenantHeader === undefined) return undefined;
    return checkTenant(this.request.headers[tenantHeader]?.toString());
  }

  /** How long the headers give it (`x-request-timeout-ms`); undefined: for ever. Throws `invalid_argument`. */
  get timeoutMs(): number | undefined {
    const header = this.request.headers["x-request-timeout-ms"];
    return header === undefined ? undefined : parseTimeoutMs(String(header));
  }

  get deadlineMs(): number | undefined {
    return earliestDeadline(this.timeline.receivedMs, [this.timeoutMs]);
  }

  /** Counts this request and the bytes its body is going to need. Throws when the server is full. */
  enter(bytes: number): void {
    this.context.budget.enter(bytes);
    this.#entered = true;
    this.#heldBytes = bytes;
  }

  /** What bounds the reading of a body of so many bytes. */
  reading(bytes: number): { readonly limits: RestLimits; readonly slices: Slices } {
    const { limits, slicer } = this.context;
    return { limits, slices: slicer.open(bytes) };
  }

  /** Takes more, as long as the connection is there. Throws when the server is full. */
  grow(bytes: number): void {
    if (this.#isClosed) return;
    this.context.budget.grow(bytes, this.#heldBytes);
    this.#heldBytes += bytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Gives back the bytes that this request holds; it goes on counting as a request. */
  release(): void {
    this.context.budget.shrink(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** Tells a client that asked first (`Expect: 100-continue`) to send its body. */
  continue(): void {
    this.#isAskedForBody = true;
    if (this.request.headers.expect !== undefined) this.#response.writeContinue();
  }

  /** Aborts the signal when this monotonic time comes. */
  setDeadline(deadlineMs: number): void {
    const { clock } = this.context;
    this.#cancelDeadline?.();
    const own = new AbortController();
    this.#controller = own;
    this.#cancelDeadline = clock.after(Math.max(0, deadlineMs - clock.nowMs()), () => {
      own.abort(
        new ServeError("deadline_exceeded", "the request's deadline passed before its answer was ready"),
      );
    });
  }

  /** Sends an inference's answer: stamps it, adds `Server-Timing`, and records the stages that the header shows. */
  answerInference(
    answeredBy: { readonly model: string; readonly version: string },
    { body, type, jsonBytes }: InferenceBody,
  ): void {
    if (this.#answered) return;
    const { timeline, context } = this;
    this.#holdAnswer(bytesOf(body));
    timeline.encodedMs = context.clock.nowMs();
    const headers = ["Server-Timing", serverTiming(timeline)];
    if (jsonBytes !== undefined) headers.push("Inference-Header-Content-Length", String(jsonBytes));
    context.observer.observe({
      protocol: "rest",
      answeredBy,
      asked: answeredBy.model,
      code: "ok",
      timeline,
    });
    this.#send(200, type, { body, headers });
  }

  answerJson(status: number, value: unknown): void {
    this.answer(status, JSON_TYPE, Buffer.from(JSON.stringify(value)));
  }

  answer(status: number, type: string, body: Uint8Array, headers: string[] = []): void {
    if (this.#answered) return;
    this.#holdAnswer(body.length);
    this.#send(status, type, { body, headers });
  }

  /** Answers with an error, whatever was thrown. Faults of ours go to the log in full; the client gets the message only. */
  fail(thrown: unknown, headers: string[] = []): void {
    if (this.#answered) return;
    this.release();
    const error = this.#explain(thrown);
    const { status, body, retryAfter } = errorAnswer(error, this.context.random);
    if (status === 500) {
      this.context.logger.error(
        { requestId: this.id, model: this.model, err: error.cause ?? error },
        "request failed",
      );
    }
    if (this.model !== undefined) {
      const { model: asked, timeline } = this;
      this.context.observer.observe({
        protocol: "rest",
        answeredBy: undefined,
        asked,
        code: error.code,
        timeline,
      });
    }
    // The rest of a body that trickles in is not waited for.
    if (error.reason === "request_timeout") headers.push("Connection", "close");
    if (status === 401) headers.push("WWW-Authenticate", 'Bearer realm="sconce"');
    if (retryAfter !== undefined) headers.push("Retry-After", String(retryAfter));
    this.#send(status, JSON_TYPE, { body, headers });
  }

  /** An aborted request failed because of what aborted it. */
  #explain(thrown: unknown): ServeError {
    const signal = this.#controller?.signal;
    if (signal?.aborted === true && signal.reason instanceof ServeError) {
      const error = ServeError.from(thrown);
      return error.code === "cancelled" || error.code === "internal" ? signal.reason : error;
    }
    return ServeError.from(thrown);
  }

  /**
   * From now on this request holds its answer in place of its body, until its client has taken it. Throws `unavailable` when there is no
   * room. Small answers to requests without a body are not counted: probes must be answered always.
   */
  #holdAnswer(length: number): void {
    if (this.#isClosed) return;
    const bytes = Math.min(length, this.context.budget.maxBytes);
    this.release();
    if (this.#entered) this.grow(bytes);
    else if (bytes > SMALL_BYTES) this.enter(bytes);
  }

  #send(
    status: number,
    type: string,
    { body, headers }: { readonly body: Uint8Array | readonly Uint8Array[]; readonly headers: string[] },
  ): void {
    this.#answered = true;
    this.#cancelDeadline?.();
    const parts = body instanceof Uint8Array ? [body] : body;
    const length = bytesOf(body);
    const encoding =
      length < this.context.limits.minCompressBytes ? undefined : this.request.headers["accept-encoding"];
    if (encoding === undefined) {
      this.#write(status, type, { parts, length, headers });
      return;
    }
    const plain = (): void => this.#write(status, type, { parts, length, headers });
    compress(parts, encoding).then((packed) => {
      if (packed === undefined) return plain();
      headers.push("Content-Encoding", packed.encoding, "Vary", "Accept-Encoding");
      this.#write(status, type, { parts: [packed.body], length: packed.body.length, headers });
    }, plain);
  }

  #write(
    status: number,
    type: string,
    answer: { readonly parts: readonly Uint8Array[]; readonly length: number; readonly headers: string[] },
  ): void {
    const response = this.#response;
    if (response.destroyed) return;
    const { parts, length, headers } = answer;
    headers.push("Content-Type", type, "Content-Length", String(length), "X-Request-Id", this.id);
    const lingers = this.#hasUnreadBody();
    if (lingers || this.context.isDraining()) headers.push("Connection", "close");
    response.writeHead(status, headers);
    // Node puts a short text into the same write as the headers, which a buffer never is: one system call less per answer.
    if (parts.length === 1 && length <= ONE_WRITE_BYTES && !lingers) {
      response.end(asBuffer(parts[0]!).toString("latin1"), "latin1");
      if (response.writableLength > 0) this.#writer(parts, lingers).watchWritten();
      return;
    }
    this.#writer(parts, lingers).write();
  }

  #writer(parts: readonly Uint8Array[], lingers: boolean): AnswerWriter {
    const response = this.#response;
    const target = {
      context: this.context,
      response,
      heldBytes: this.#heldBytes,
      onHanded: () => (lingers ? this.#linger() : void response.end()),
      onGivenUp: () => this.release(),
    };
    return new AnswerWriter(target, parts);
  }

  /** Whether much of the body is still on its way, or may never come; little is quickly read and thrown away by Node. */
  #hasUnreadBody(): boolean {
    const { headers, complete, readableEnded } = this.request;
    if (complete || readableEnded) return false;
    // Who waits for leave to send its body will not send it, and its next request would be taken for the body.
    if (headers.expect !== undefined && !this.#isAskedForBody) return true;
    return (
      headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > SMALL_BODY_BYTES
    );
  }

  /**
   * Closing a socket with unread bytes makes the system reset it, which can destroy the answer before the client reads it. So the
   * rest of the body is read and thrown away for a moment first.
   */
  #linger(): void {
    const response = this.#response;
    const stop = this.context.clock.after(LINGER_MS, () => response.end());
    this.request.once("end", () => {
      stop();
      response.end();
    });
    this.request.resume();
  }

  #closed(): void {
    this.#cancelDeadline?.();
    if (this.#entered) this.context.budget.leave(this.#heldBytes);
    this.#entered = false;
    this.#heldBytes = 0;
    this.#isClosed = true;
    if (this.#answered) return;
    const left = new ServeError("cancelled", "the client closed the connection before the answer was ready");
    this.#controller?.abort(left);
    this.context.connectionSignals.of(this.request.socket).abort(left);
  }
}

function bytesOf(body: Uint8Array | readonly Uint8Array[]): number {
  if (body instanceof Uint8Array) return body.length;
  let length = 0;
  for (let i = 0; i < body.length; i++) length += body[i]!.length;
  return length;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
