import type { Socket } from "node:net";
import { DEFAULT_FRAME_LIMITS, type Frame } from "../worker/frame.ts";
import { FrameReader } from "../worker/frame-reader.ts";
import { type OutgoingFrame, packFrame } from "../worker/frame-writer.ts";
import { type LinkEnd, openLinkSocket } from "./link-socket.ts";

export interface FrameLinkOptions {
  /** Whatever it throws ends the link. */
  onFrame(frame: Frame): void;
  /** The other end is gone. Called once. */
  onClose(): void;
  /**
   * Bytes that may wait for the other end to read them before nothing more is read from it; default: any number. One end of a link only may have such a
   * limit: two that wait for each other would wait for ever.
   */
  readonly maxUnsentBytes?: number;
}

/** Small frames are put together in blocks of this size. */
const BLOCK_BYTES = 64 * 1024;

/**
 * One end of a link between two processes: frames both ways. What is sent within one turn of the event loop is written together, small frames as one
 * piece; the chunks of large ones are not copied.
 */
export class FrameLink {
  readonly #socket: Socket;
  readonly #maxUnsentBytes: number;
  #block: Uint8Array = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #used = 0;
  #pieces: Uint8Array[] = [];
  /** Whether the last piece ends where the block's next one begins. */
  #isInBlock = false;
  #isPaused = false;

  constructor(end: LinkEnd, options: FrameLinkOptions) {
    this.#maxUnsentBytes = options.maxUnsentBytes ?? Number.POSITIVE_INFINITY;
    const reader = new FrameReader(DEFAULT_FRAME_LIMITS, (frame) => options.onFrame(frame));
    const socket = openLinkSocket(end, {
      space: () => reader.space(),
      advance(count) {
        try {
          reader.advance(count);
          return true;
        } catch (error) {
          socket.destroy(error instanceof Error ? error : undefined);
          return false;
        }
      },
    });
    this.#socket = socket;
    // A broken link shows as its close.
    socket.on("error", ignore);
    socket.on("end", () => socket.destroy());
    socket.once("close", () => options.onClose());
    socket.on("drain", () => this.#goOnReading());
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** The chunks must stay unchanged until the other end has answered. */
  send(frame: OutgoingFrame): void {
    if (this.#socket.destroyed) return;
    if (this.#pieces.length === 0) setImmediate(this.#flush);
    for (const piece of packFrame(frame, this.#allocate)) this.#add(piece);
  }

  close(): void {
    this.#flush();
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #allocate = (bytes: number): Uint8Array => {
    if (bytes > BLOCK_BYTES) return Buffer.allocUnsafeSlow(bytes);
    if (this.#used + bytes > BLOCK_BYTES) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#used = 0;
      this.#isInBlock = false;
    }
    this.#used += bytes;
    return this.#block.subarray(this.#used - bytes, this.#used);
  };

  #add(piece: Uint8Array): void {
    const isInBlock = piece.buffer === this.#block.buffer;
    const last = this.#pieces.at(-1);
    if (isInBlock && this.#isInBlock && last !== undefined) {
      const from = last.byteOffset - this.#block.byteOffset;
      this.#pieces[this.#pieces.length - 1] = this.#block.subarray(from, this.#used);
    } else this.#pieces.push(piece);
    this.#isInBlock = isInBlock;
  }

  readonly #flush = (): void => {
    const pieces = this.#pieces;
    const socket = this.#socket;
    if (pieces.length === 0 || socket.destroyed) return;
    this.#pieces = [];
    if (pieces.length === 1) socket.write(pieces[0]!);
    else {
      socket.cork();
      for (let i = 0; i < pieces.length; i++) socket.write(pieces[i]!);
      socket.uncork();
    }
    if (socket.writableLength <= this.#maxUnsentBytes || this.#isPaused) return;
    this.#isPaused = true;
    socket.pause();
  };

  #goOnReading(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }
}

function ignore(): void {}
