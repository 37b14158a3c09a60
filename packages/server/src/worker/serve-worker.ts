import { ServeError } from "../base/errors.ts";
import { openEndpoint } from "./endpoint.ts";
import { FRAME_KINDS, type Frame } from "./frame.ts";
import { NO_BYTES, NO_CHUNKS, type OutgoingFrame } from "./frame-writer.ts";
import { encodeError } from "./pending-calls.ts";

/** What a worker is asked; header and payload are views on a block that the worker now owns. */
export interface WorkerCall {
  readonly method: number;
  readonly header: Uint8Array;
  /** 8-byte aligned in its buffer. */
  readonly payload: Uint8Array;
  /** Tells the server process something while the call is in progress. */
  note(text: string): void;
}

/** What it answers; the chunks must stay unchanged until the next call. */
export interface HandlerResult {
  readonly header: Uint8Array;
  readonly chunks: readonly Uint8Array[];
}

export type CallHandler = (call: WorkerCall) => HandlerResult | Promise<HandlerResult>;

export const EMPTY_RESULT: HandlerResult = { header: NO_BYTES, chunks: NO_CHUNKS };

/**
 * Turns this process or thread into a worker: says hello, then handles calls one at a time in the order they came. A ServeError goes to
 * the caller as it is; anything else becomes `internal`, its stack for the server process's log. Ends the process when the server process is gone or closed
 * the connection, after the calls it already has.
 */
export function serveWorker(handler: CallHandler): void {
  const waiting: Frame[] = [];
  let isBusy = false;
  let isClosed = false;
  const send = (kind: number, frame: Frame | undefined, answer: HandlerResult): void => {
    const { method, id } = frame ?? { method: 0, id: 0 };
    endpoint.send({ kind, method, id, header: answer.header, chunks: answer.chunks } satisfies OutgoingFrame);
  };
  const work = async (): Promise<void> => {
    isBusy = true;
    for (let frame = waiting.shift(); frame !== undefined; frame = waiting.shift()) {
      try {
        send(FRAME_KINDS.result, frame, await handler(callOf(frame, send)));
      } catch (error) {
        send(FRAME_KINDS.error, frame, { header: encodeThrown(error), chunks: NO_CHUNKS });
      }
    }
    isBusy = false;
    if (isClosed) process.exit(0);
  };
  const endpoint = openEndpoint({
    onFrame(frame) {
      waiting.push(frame);
      if (!isBusy) void work();
    },
    onClose() {
      isClosed = true;
      if (!isBusy) process.exit(0);
    },
  });
  send(FRAME_KINDS.hello, undefined, EMPTY_RESULT);
}

function callOf(frame: Frame, send: (kind: number, frame: Frame, answer: HandlerResult) => void): WorkerCall {
  return {
    method: frame.method,
    header: frame.header,
    payload: frame.payload,
    note: (text) => send(FRAME_KINDS.note, frame, { header: Buffer.from(text, "utf8"), chunks: NO_CHUNKS }),
  };
}

function encodeThrown(thrown: unknown): Uint8Array {
  const error = ServeError.from(thrown);
  const { cause } = error;
  return encodeError({
    code: error.code,
    message: error.message,
    reason: error.reason,
    detail:
      cause instanceof Error
        ? (cause.stack ?? cause.message)
        : cause === undefined
          ? undefined
          : String(cause),
  });
}
