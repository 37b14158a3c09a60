import type { Steps } from "./time-slicer.ts";

/** Bytes and where they go. */
interface Placed {
  readonly at: number;
  readonly contents: Uint8Array;
}

/** How many bytes are copied in the time in which one byte of text is read. */
const COPY_SPEED = 32;

/** Copies contents to their places in steps. Fresh memory is slow to write to: 64 MiB in one go would stop the loop for tens of milliseconds. */
export function copying(bytes: Uint8Array, copies: readonly Placed[]): Steps {
  let next = 0;
  let done = 0;
  return {
    step(amount) {
      for (let left = amount * COPY_SPEED; left > 0 && next < copies.length; ) {
        const { at, contents } = copies[next]!;
        const count = Math.min(left, contents.length - done);
        bytes.set(contents.subarray(done, done + count), at + done);
        done += count;
        left -= count;
        if (done < contents.length) break;
        next += 1;
        done = 0;
      }
      return next === copies.length;
    },
  };
}
