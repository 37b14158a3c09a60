import { ServeError } from "../../base/errors.ts";
import type { Transfer } from "../../gate/slow-client-guard.ts";
import type { CallStream } from "../call-stream.ts";
import type { InflateLimits } from "../inflated-size.ts";
import type { RequestLog } from "../request-log.ts";
import type { TimeSlicer } from "../time-slicer.ts";
import { closeSoon } from "./discard-rest.ts";
import { type Coding, inflateMessage } from "./inflate-message.ts";
import { MessageDecoder, PREFIX_BYTES } from "./message-decoder.ts";
import type { TransferDeps } from "./transfer-deps.ts";

/** The call that messages are for. */
export interface MessageReceiver {
  readonly ended: boolean;
  /** The next message, once for each `read`. */
  onMessage(bytes: Buffer): void;
  /** Every message was handed on, and there will be no more. */
  onHalfClose(): void;
  /** The beginning of a first message that does not come in one piece. */
  onBeginning(bytes: Buffer): void;
  fail(error: ServeError): void;
}

/** What bounds what calls receive. */
export interface ReaderDeps extends TransferDeps {
  readonly slicer: TimeSlicer;
  /** `maxBytes` holds for messages that are not compressed as well. */
  readonly inflateLimits: InflateLimits;
  /** Where calls that failed can be found by their ids; undefined: nowhere. */
  readonly requestLog?: RequestLog | undefined;
}

export interface ReaderOptions {
  readonly coding: Coding | undefined;
  /** The call takes one message, which counts as received when the client has half-closed. */
  readonly isSingle: boolean;
}

/** Messages of one call that are handed on in a turn of the event loop: thousands of empty ones come in one piece. */
const MESSAGES_PER_TURN = 32;

/** Less than this costs little, and most messages are no longer. */
const FREE_BYTES = 16 * 1024;

/**
 * The messages that a call's client sends, handed on one for each `read`; in between the stream stays unread, which is the flow control.
 * What has come and was not handed on is paid for from the byte budget, inflated bytes included, and a client that trickles is given up.
 */
export class MessageReader implements Transfer {
  startedMs = 0;
  moved = 0;
  heldBytes = 0;
  readonly #stream: CallStream;
  readonly #receiver: MessageReceiver;
  readonly #deps: ReaderDeps;
  readonly #options: ReaderOptions;
  #decoder: MessageDecoder | undefined;
  /** Complete messages with their prefixes that nobody has asked for yet. */
  #waiting: Buffer[] = NOTHING;
  /** Bytes that came, or were inflated, and were not handed on. */
  #pendingBytes = 0;
  #hasBegun = false;
  #isWanted = true;
  #isInflating = false;
  #isHandingOn = false;
  /** What is left waits for the next turn. */
  #isYielding = false;
  #isPaused = false;
  #isOver = false;

  constructor(
    stream: CallStream,
    receiver: MessageReceiver,
    { deps, options }: { readonly deps: ReaderDeps; readonly options: ReaderOptions },
  ) {
    this.#stream = stream;
    this.#receiver = receiver;
    this.#deps = deps;
    this.#options = options;
    stream.on("data", (bytes: Buffer) => this.#take(bytes));
    stream.on("end", () => this.#end());
  }

  /** Asks for the next message. The first one was asked for when the call began. */
  read(): void {
    this.#isWanted = true;
    if (this.#waiting.length > 0 || this.#isPaused) this.#handOn();
  }

  /** The call is over: nothing is kept, and what still comes is thrown away. */
  stop(): void {
    this.#release();
    this.#decoder = undefined;
    this.#waiting = NOTHING;
    // A stream that nobody reads would never close.
    if (this.#isPaused) this.#resume();
  }

  /** Its client is too slow. */
  end(error: ServeError): void {
    this.#release();
    this.#receiver.fail(error);
    closeSoon(this.#stream);
  }

  #take(bytes: Buffer): void {
    if (this.#receiver.ended) {
      // It goes on as if the call did.
      closeSoon(this.#stream);
      return;
    }
    const isFirst = !this.#hasBegun;
    this.#hasBegun = true;
    try {
      this.#pay(bytes.length, bytes.length);
      if (this.#decoder === undefined && this.#isWanted && this.#isWhole(bytes)) {
        this.#give(bytes.subarray(PREFIX_BYTES), bytes.length);
        this.#settle();
        return;
      }
      this.#decoder ??= new MessageDecoder(this.#deps.inflateLimits.maxBytes);
      const complete = this.#decoder.write(bytes);
      if (complete.length > 0) {
        this.#waiting = this.#waiting.length === 0 ? complete : [...this.#waiting, ...complete];
      } else if (isFirst && bytes.length > PREFIX_BYTES && bytes[0] === 0) {
        this.#receiver.onBeginning(bytes.subarray(PREFIX_BYTES));
      }
    } catch (thrown) {
      this.end(ServeError.from(thrown));
      return;
    }
    this.#handOn();
  }

  /** Most calls: one message, not compressed, which came in one piece. */
  #isWhole(bytes: Buffer): boolean {
    return (
      bytes.length >= PREFIX_BYTES &&
      bytes[0] === 0 &&
      bytes.readUInt32BE(1) === bytes.length - PREFIX_BYTES &&
      bytes.length - PREFIX_BYTES <= this.#deps.inflateLimits.maxBytes
    );
  }

  /** Hands on what is asked for and there. */
  #handOn(): void {
    // A receiver that asks for the next message while it gets one is served by the loop that gave it.
    if (this.#isHandingOn || this.#isYielding) return;
    this.#isHandingOn = true;
    let left = MESSAGES_PER_TURN;
    while (this.#isWanted && !this.#isInflating && this.#waiting.length > 0 && !this.#receiver.ended) {
      if (left === 0) {
        this.#yield();
        break;
      }
      left -= 1;
      const frame = this.#waiting.shift()!;
      if (frame[0] === 0) this.#give(frame.subarray(PREFIX_BYTES), frame.length);
      else void this.#inflate(frame);
    }
    this.#isHandingOn = false;
    this.#settle();
  }

  #yield(): void {
    this.#isYielding = true;
    setImmediate(() => {
      this.#isYielding = false;
      this.#handOn();
    });
  }

  #give(message: Buffer, bytes: number): void {
    this.#isWanted = false;
    if (this.#options.isSingle) {
      // It is held for its client until that has half-closed.
      if (this.heldBytes > 0) this.#deps.slowClients.complete(this);
    } else this.#handedOn(bytes);
    this.#receiver.onMessage(message);
  }

  /** After what has come: half-closes, or reads on if somebody waits for more. */
  #settle(): void {
    if (this.#receiver.ended) return;
    if (this.#isInflating || this.#isYielding) {
      if (!this.#isPaused) this.#pause();
      return;
    }
    if (this.#isOver && this.#waiting.length === 0) {
      this.#halfClose();
      return;
    }
    if (this.#isWanted) {
      if (this.#isPaused) this.#resume();
    } else if (!this.#isPaused) this.#pause();
  }

  #end(): void {
    this.#isOver = true;
    if (!this.#receiver.ended) this.#settle();
  }

  #halfClose(): void {
    if (this.#decoder?.isInside === true) {
      this.end(truncated());
      return;
    }
    this.#release();
    this.#receiver.onHalfClose();
  }

  async #inflate(frame: Buffer): Promise<void> {
    const { coding } = this.#options;
    this.#isInflating = true;
    try {
      if (coding === undefined) throw notCompressed();
      const message = await inflateMessage(frame.subarray(PREFIX_BYTES), coding, {
        limits: this.#deps.inflateLimits,
        slicer: this.#deps.slicer,
        onBytes: (count) => this.#inflated(count),
      });
      this.#isInflating = false;
      if (this.#receiver.ended) return;
      this.#give(message, frame.length + message.length);
      this.#handOn();
    } catch (thrown) {
      this.#isInflating = false;
      this.end(ServeError.from(thrown));
    }
  }

  #inflated(bytes: number): void {
    if (this.#receiver.ended) throw new ServeError("cancelled", "the call is over");
    this.#pay(bytes, 0);
  }

  /** For `bytes` more, `moved` of them over the wire. Throws when there is no room. */
  #pay(bytes: number, moved: number): void {
    if (this.startedMs === 0) this.#watch();
    this.moved += moved;
    this.#pendingBytes += bytes;
    const due = this.#pendingBytes - this.heldBytes;
    if (this.#pendingBytes <= FREE_BYTES || due <= 0) return;
    this.#deps.budget.grow(due, this.heldBytes);
    this.heldBytes += due;
  }

  /** These bytes are paid for elsewhere now. What came behind them has only begun. */
  #handedOn(bytes: number): void {
    this.#pendingBytes -= Math.min(bytes, this.#pendingBytes);
    if (this.#pendingBytes === 0) {
      this.#release();
      return;
    }
    const surplus = this.heldBytes - this.#pendingBytes;
    if (surplus > 0) {
      this.#deps.budget.shrink(surplus);
      this.heldBytes -= surplus;
    }
    this.startedMs = this.#deps.slowClients.nowMs();
    this.moved = this.#pendingBytes;
  }

  #watch(): void {
    this.startedMs = this.#deps.slowClients.nowMs();
    this.moved = this.#pendingBytes;
    this.#deps.slowClients.watch(this);
  }

  #release(): void {
    if (this.startedMs !== 0) this.#deps.slowClients.unwatch(this);
    if (this.heldBytes > 0) this.#deps.budget.shrink(this.heldBytes);
    this.startedMs = this.moved = this.heldBytes = this.#pendingBytes = 0;
  }

  #pause(): void {
    this.#isPaused = true;
    this.#stream.pause();
    // From now on it is we who are slow.
    if (this.startedMs === 0) return;
    this.#deps.slowClients.unwatch(this);
    this.startedMs = 0;
  }

  #resume(): void {
    this.#isPaused = false;
    if (this.#pendingBytes > 0) this.#watch();
    this.#stream.resume();
  }
}

const NOTHING: Buffer[] = [];

function truncated(): ServeError {
  return new ServeError("invalid_argument", "the call ended inside a message", {
    reason: "malformed_message",
  });
}

function notCompressed(): ServeError {
  return new ServeError("invalid_argument", "a message is compressed, and no grpc-encoding says how", {
    reason: "bad_compression",
  });
}
