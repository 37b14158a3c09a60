import type { Writable } from "node:stream";
import { CallSignal } from "../../../base/call-signal.ts";
import { ServeError } from "../../../base/errors.ts";
import type { ParameterValue } from "../../../base/infer-request.ts";
import type { RequestHead } from "../../../base/request-head.ts";
import type { TracedCall } from "../../../base/request-trace.ts";
import { Timeline } from "../../../base/timeline.ts";
import { parseTraceParent } from "../../../base/trace-parent.ts";
import type { Credentials } from "../../../gate/admin-gate.ts";
import { SMALL_BYTES } from "../../../gate/byte-budget.ts";
import type { Caller } from "../../../gate/caller.ts";
import {
  earliestDeadline,
  parseTimeoutMs,
  parseTimeoutParameter,
  preferDeadline,
} from "../../../gate/deadline.ts";
import { requestId } from "../../../gate/request-id.ts";
import { checkTenant, routeKeyOf } from "../../../gate/tenant.ts";
import { serverTiming } from "../../inference-metrics.ts";
import { type Work, workOff } from "../../time-slicer.ts";
import { expectsContinue } from "./check-head.ts";
import { errorResponse } from "./error-response.ts";
import type { RestContext } from "./rest-context.ts";
import type { EncodedResponse, RespondingCall, RestRequest, RestTransport } from "./rest-transport.ts";
import { bytesOf, type ResponseContent, sendResponse } from "./send-response.ts";
import type { SharedBody } from "./shared-body.ts";

export const JSON_TYPE = "application/json";
export const BINARY_TYPE = "application/octet-stream";

/** What an inference answers with; `jsonBytes` of it are JSON when binary tensors follow. */
export interface InferenceBody {
  readonly body: Uint8Array | readonly Uint8Array[];
  readonly type: string;
  readonly jsonBytes?: number;
  /** Default: 200. */
  readonly status?: number;
  /** Names and values in turn, beside those that every answer has. */
  readonly headers?: readonly string[];
}

/** One HTTP request and its response. Knows when the client left; gives back what the request held when the connection is done with it (`end`). */
export class RestCall implements RequestHead, RespondingCall {
  /** What this call may see of the server. */
  context: RestContext;
  /** Undefined: the server knows no callers. */
  caller: Caller | undefined;
  readonly transport: RestTransport;
  readonly request: RestRequest;
  /** Fires when the client's connection closed before it was answered, or when the deadline passed. */
  readonly signal: CallSignal = new CallSignal();
  readonly timeline: Timeline;
  readonly id: string;
  /** The model that an inference asks for (`ask`); other requests are not counted. */
  model: string | undefined;
  isAskedForBody = false;
  /** How the dialect of this request spells errors. */
  spellError: typeof errorResponse = errorResponse;

  /** The parts of the URL that have names, where requests are traced. */
  #params: TracedCall["params"] = NO_PARAMS;
  #cancelDeadline: (() => void) | undefined;
  /** As `takeDeadline` found it. */
  #deadlineMs: number | undefined;
  #entered = false;
  #heldBytes = 0;
  #answered = false;
  #isClosed = false;
  #onEnd: (() => void) | undefined;
  /** Where the pieces of its answer go; undefined: none was sent yet. */
  #pieces: Writable | undefined;

  constructor(context: RestContext, transport: RestTransport) {
    const { request } = transport;
    this.context = context;
    this.transport = transport;
    this.request = request;
    this.timeline = new Timeline(context.clock.nowMs());
    const given = request.headers["x-request-id"];
    this.id = requestId(typeof given === "string" ? given : undefined, context.makeId);
  }

  /** It is an inference of this model from now on. `params`: the parts of its URL that have names. */
  ask(model: string | undefined, params: TracedCall["params"]): void {
    this.model = model;
    const { tracer } = this.context;
    if (tracer === undefined) return;
    this.#params = params;
    this.timeline.trace = tracer.begin(textOf(this.request.headers["traceparent"]), this);
  }

  /** What its trace begins with. */
  traced(): TracedCall {
    const { method = "", url = "", headers } = this.request;
    return {
      protocol: "rest",
      method,
      url,
      params: this.#params,
      requestId: this.id,
      tracestate: textOf(headers["tracestate"]),
    };
  }

  /** Under which others know it: of its own trace, or of the one that it says it belongs to. */
  get #traceId(): string | undefined {
    return (
      this.timeline.trace?.traceId ?? parseTraceParent(textOf(this.request.headers["traceparent"]))?.traceId
    );
  }

  /** Whose request it is; undefined: nobody's in particular. Throws `invalid_argument`. */
  get tenant(): string | undefined {
    if (this.caller !== undefined) return this.caller.tenant;
    const { tenantHeader } = this.context;
    if (tenantHeader === undefined) return undefined;
    return checkTenant(this.request.headers[tenantHeader]?.toString());
  }

  /** What its header says of which version of a rollout it goes to; undefined: nothing. */
  get routeKey(): string | undefined {
    const { rolloutHeader } = this.context;
    if (rolloutHeader === undefined) return undefined;
    return routeKeyOf(this.request.headers[rolloutHeader]?.toString());
  }

  get credentials(): Credentials {
    return { authorization: this.request.headers.authorization, caller: this.caller };
  }

  /** From now on it is this caller's, with what that caller may see. */
  enterAs(caller: Caller, context: RestContext): void {
    this.caller = caller;
    this.context = context;
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
    if (this.#isClosed) throw clientLeft();
    this.context.budget.enter(bytes);
    this.#entered = true;
    this.#heldBytes = bytes;
  }

  /** Does work that so many bytes cost: little at once, much in slices. */
  workOff<T>(bytes: number, work: Work<T>): T | Promise<T> {
    return workOff(work, this.context.slicer.open(bytes));
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
    this.isAskedForBody = true;
    if (expectsContinue(this.request)) this.transport.writeContinue();
  }

  /**
   * When the response becomes worthless: the sooner of what the headers say and the v2 parameter `timeout` (which is taken out), from the time the
   * headers came. Also fires the signal then. Throws `invalid_argument`.
   */
  takeDeadline(parameters: Map<string, ParameterValue>): number | undefined {
    const { timeoutMs } = this;
    const parameter = parameters.get("timeout");
    if (timeoutMs === undefined && parameter === undefined) return undefined;
    parameters.delete("timeout");
    const deadlineMs = earliestDeadline(this.timeline.receivedMs, [
      timeoutMs,
      parameter === undefined ? undefined : parseTimeoutParameter(parameter),
    ]);
    if (deadlineMs !== undefined) this.#setDeadline(deadlineMs);
    return deadlineMs;
  }

  #setDeadline(deadlineMs: number): void {
    const { clock } = this.context;
    this.#cancelDeadline?.();
    this.#deadlineMs = deadlineMs;
    this.#cancelDeadline = clock.after(Math.max(0, deadlineMs - clock.nowMs()), () => {
      this.signal.abort(
        new ServeError("deadline_exceeded", "the request's deadline passed before its response was ready"),
      );
    });
  }

  /** Sends an inference's answer: stamps it, adds `Server-Timing`, and records the stages that the header shows. */
  sendInference(
    answeredBy: { readonly model: string; readonly version: string },
    { body, type, jsonBytes, status = 200, headers: own = [] }: InferenceBody,
  ): void {
    if (this.#answered) return;
    const { timeline, context } = this;
    if (this.#pieces === undefined) this.#holdResponse(bytesOf(body));
    timeline.encodedMs = context.clock.nowMs();
    const headers = ["Server-Timing", serverTiming(timeline), ...own];
    if (jsonBytes !== undefined) headers.push("Inference-Header-Content-Length", String(jsonBytes));
    context.observer.observe({
      protocol: "rest",
      answeredBy,
      asked: answeredBy.model,
      code: "ok",
      timeline,
      httpStatus: status,
    });
    if (this.#pieces === undefined) {
      this.#send(status, { type, body, headers });
      return;
    }
    this.sendPiece({ body, type });
    if (this.context.requestLog?.isComplete === true) this.#tell(status);
    this.#answered = true;
    this.#cancelDeadline?.();
    this.#pieces.end();
  }

  /** Sends a piece of an inference's answer; the last one is sent by `sendInference`. A client that leaves too much of them untaken is cut off. */
  sendPiece({ body, type, status = 200, headers = [] }: InferenceBody): void {
    if (this.#answered) return;
    this.#pieces ??= this.transport.begin(this, status, beginning(this, type, headers));
    if (this.#pieces.writableLength > MAX_UNTAKEN_BYTES) this.transport.connection.destroy();
    else for (const part of body instanceof Uint8Array ? [body] : body) this.#pieces.write(part);
  }

  /** No more pieces come: the response ends as it should. */
  endPieces(): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#cancelDeadline?.();
    this.#pieces?.end();
  }

  /** Of its pieces, what the connection has not taken yet. */
  get untakenBytes(): number {
    return this.#pieces?.writableLength ?? 0;
  }

  sendJson(status: number, value: unknown): void {
    const indent = wantsPretty(this.request.url) ? 2 : 0;
    this.send(status, JSON_TYPE, Buffer.from(JSON.stringify(value, null, indent)));
  }

  send(status: number, type: string, body: Uint8Array, headers: string[] = []): void {
    if (this.#answered) return;
    this.#holdResponse(body.length);
    this.#send(status, { type, body, headers });
  }

  /** Answers with what others are sent as well. */
  sendShared(type: string, shared: SharedBody, headers: string[] = []): void {
    if (this.#answered) return;
    const { bytes: body } = shared;
    this.#holdResponse(body.length);
    this.#send(200, { type, body, headers, shared });
  }

  /** Answers with bytes that are kept for everybody, such as a page's file: nothing is held for this request, and they go as they are. */
  sendKept(content: ResponseContent): void {
    if (this.#answered) return;
    this.#send(200, { ...content, isFinal: true });
  }

  /** Answers with an error, whatever was thrown. Faults of ours go to the log in full; the client gets the message only. */
  fail(thrown: unknown, headers: string[] = []): void {
    if (this.#answered) return;
    this.release();
    const error = this.#explain(thrown);
    const { status, body, retryAfter } = this.spellError(error, this.context.random);
    // A fault of ours is told of in full below.
    if (status !== 500) this.#tell(status, error);
    if (status === 500) {
      this.context.logger.error(
        { requestId: this.id, trace_id: this.#traceId, model: this.model, err: error.cause ?? error },
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
        failure: error,
        httpStatus: status,
      });
    }
    if (this.#pieces !== undefined) {
      // Its beginning is sent: all that can be said is that it does not end as it should.
      this.#answered = true;
      this.#cancelDeadline?.();
      this.transport.connection.destroy();
      return;
    }
    // The rest of a body that trickles in is not waited for.
    if (error.reason === "request_timeout") headers.push("Connection", "close");
    if (status === 401) headers.push("WWW-Authenticate", 'Bearer realm="sconce"');
    if (retryAfter !== undefined) headers.push("Retry-After", String(retryAfter));
    this.#send(status, { type: JSON_TYPE, body, headers });
  }

  /** An aborted request failed because of what aborted it. */
  #explain(thrown: unknown): ServeError {
    const error = ServeError.from(thrown);
    if (error.code !== "cancelled" && error.code !== "internal") return error;
    const { aborted, reason } = this.signal;
    const cause = aborted && reason instanceof ServeError ? reason : error;
    return preferDeadline(cause, this.#deadlineMs, this.context.clock.nowMs());
  }

  /**
   * From now on this request holds its response in place of its body, until its client has taken it. Throws `unavailable` when there is no
   * room. Small answers to requests without a body are not counted: probes must be answered always.
   */
  #holdResponse(length: number): void {
    if (this.#isClosed) return;
    const bytes = Math.min(length, this.context.budget.maxBytes);
    this.release();
    if (this.#entered) this.grow(bytes);
    else if (bytes > SMALL_BYTES) this.enter(bytes);
  }

  /** Writes into the log what became of it. */
  #tell(status: number, failure?: ServeError): void {
    const { context, request } = this;
    context.requestLog?.ended(
      {
        requestId: this.id,
        traceId: this.#traceId,
        protocol: "rest",
        call: `${request.method ?? ""} ${request.url ?? ""}`,
        status,
        model: this.model,
        ms: context.clock.nowMs() - this.timeline.receivedMs,
      },
      failure,
    );
  }

  #send(status: number, content: ResponseContent): void {
    if (this.context.requestLog?.isComplete === true && status < FIRST_FAILURE) this.#tell(status);
    this.#answered = true;
    this.#cancelDeadline?.();
    sendResponse(this, status, content);
  }

  /** Sends a response that another process has made, counted and told the log of. */
  relay(response: EncodedResponse): void {
    if (this.#answered) return;
    try {
      this.#holdResponse(response.length);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#answered = true;
    this.transport.respond(this, response);
  }

  /** The same for one that comes in pieces. */
  relayPieces(status: number, headers: readonly string[]): Writable {
    this.#answered = true;
    return this.transport.begin(this, status, headers);
  }

  /** Runs `callback` when the connection is done with the call. There is one such callback. */
  onEnd(callback: () => void): void {
    this.#onEnd = callback;
  }

  /** The connection is done with it: the response was taken, or the client left. */
  end(): void {
    this.#cancelDeadline?.();
    // Whoever watches a stream that has no end leaves in the middle of it.
    const isToldOf = this.model !== undefined || (this.#entered && this.#pieces === undefined);
    if (this.#entered) this.context.budget.leave(this.#heldBytes);
    this.#entered = false;
    this.#heldBytes = 0;
    this.#isClosed = true;
    this.#onEnd?.();
    if (this.#answered) return;
    const left = clientLeft();
    if (isToldOf) this.#tell(CLIENT_LEFT, left);
    this.signal.abort(left);
  }
}

function textOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.join(",");
}

const MAX_UNTAKEN_BYTES = 16 * 1024 * 1024;

/** Headers of an answer that comes in pieces. */
function beginning(
  { id, context, request }: RestCall,
  type: string,
  own: readonly string[],
): readonly string[] {
  const forPages = context.webGate.responseHeaders(request.headers.origin);
  const typed = type === "" ? [] : ["Content-Type", type];
  return [...own, ...typed, "X-Request-Id", id, ...forPages];
}

const NO_PARAMS: TracedCall["params"] = {};
const FIRST_FAILURE = 400;
/** What nginx logs of a client that closed its connection; nobody is sent it. */
const CLIENT_LEFT = 499;

/** `?pretty`, for people who read a document. */
function wantsPretty(url: string | undefined): boolean {
  return url?.includes("?") === true && /[?&]pretty(?:=(?:true|1)?)?(?:&|$)/.test(url);
}

function clientLeft(): ServeError {
  return new ServeError("cancelled", "the client closed the connection before the response was ready");
}
