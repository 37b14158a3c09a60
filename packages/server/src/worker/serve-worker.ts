import { setImmediate } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { ServeError } from "../base/errors.ts";
import { DescriptorChannel } from "./descriptor-channel.ts";
import { FRAME_KINDS, type Frame } from "./frame.ts";
import { NO_BYTES, NO_CHUNKS, type OutgoingFrame } from "./frame-writer.ts";
import { outliveSignals } from "./outlive-signals.ts";
import { encodeError } from "./pending-calls.ts";
import { PortChannel } from "./port-channel.ts";

/** What a worker is asked; header and payload are views on a block that is the worker's until it has answered. */
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

/** The worker's end of its connection to the server process. */
interface Channel {
  /** The next frame, valid until the next call; undefined: the server process is gone, or wants the worker to end. */
  receive(): Frame | undefined | Promise<Frame | undefined>;
  /** False: the server process is gone. */
  send(frame: OutgoingFrame): boolean;
}

/** File descriptor of the socket pair, fixed by the order of `stdio` where the process is spawned. */
const SOCKET_FD = 3;
/** Native code leaves things to do for the event loop, such as freeing memory; this often it gets to do them. */
const TURN_MS = 1000;
const FOREVER_MS = 2 ** 31 - 1;

const EMPTY_RESULT: HandlerResult = { header: NO_BYTES, chunks: NO_CHUNKS };

/**
 * Turns this process or thread into a worker: says hello, then handles calls one at a time in the order they came. A ServeError goes to
 * the caller as it is; anything else becomes `internal`, its stack for the server process's log. Ends the process when the server process is gone or closed
 * the connection, after the calls it already has.
 *
 * A process blocks while it waits, and a handler that returns a result instead of a promise is answered without a turn of the event loop.
 */
export function serveWorker(handler: CallHandler): void {
  if (isMainThread) outliveSignals();
  // What a handler waits for need not keep the process alive.
  setInterval(() => {}, FOREVER_MS);
  void serve(isMainThread ? new DescriptorChannel(SOCKET_FD) : new PortChannel(), handler);
}

async function serve(channel: Channel, handler: CallHandler): Promise<void> {
  let turnedMs = performance.now();
  let isOpen = send(channel, FRAME_KINDS.hello, undefined, EMPTY_RESULT);
  while (isOpen) {
    const received = channel.receive();
    const frame = received instanceof Promise ? await received : received;
    if (frame === undefined) break;
    try {
      const handled = handler(callOf(channel, frame));
      const result = handled instanceof Promise ? await handled : handled;
      isOpen = send(channel, FRAME_KINDS.result, frame, result);
    } catch (error) {
      isOpen = send(channel, FRAME_KINDS.error, frame, { header: encodeThrown(error), chunks: NO_CHUNKS });
    }
    const nowMs = performance.now();
    if (nowMs - turnedMs > TURN_MS) {
      await setImmediate();
      turnedMs = nowMs;
    }
  }
  process.exit(0);
}

function send(channel: Channel, kind: number, frame: Frame | undefined, answer: HandlerResult): boolean {
  const { method, id } = frame ?? { method: 0, id: 0 };
  return channel.send({ kind, method, id, header: answer.header, chunks: answer.chunks });
}

function callOf(channel: Channel, frame: Frame): WorkerCall {
  return {
    method: frame.method,
    header: frame.header,
    payload: frame.payload,
    note: (text) =>
      send(channel, FRAME_KINDS.note, frame, { header: Buffer.from(text, "utf8"), chunks: NO_CHUNKS }),
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
