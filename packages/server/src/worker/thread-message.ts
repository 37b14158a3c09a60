import type { Frame } from "./frame.ts";
import type { OutgoingFrame } from "./frame-writer.ts";

/** A frame between threads: the header is copied, the payload's buffer changes hands. */
export interface ThreadMessage {
  readonly kind: number;
  readonly method: number;
  readonly id: number;
  readonly header: Uint8Array;
  readonly payload: ArrayBuffer;
}

/** Gathers the pieces of a frame into one buffer that may be transferred; the pieces stay the sender's. */
export function toThreadMessage(frame: OutgoingFrame): ThreadMessage {
  const { kind, method, id, header, chunks } = frame;
  let length = 0;
  for (let i = 0; i < chunks.length; i++) length += chunks[i]!.byteLength;
  const payload = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < chunks.length; i++) {
    payload.set(chunks[i]!, at);
    at += chunks[i]!.byteLength;
  }
  return { kind, method, id, header, payload: payload.buffer };
}

export function fromThreadMessage(message: ThreadMessage): Frame {
  return { ...message, payload: new Uint8Array(message.payload) };
}
