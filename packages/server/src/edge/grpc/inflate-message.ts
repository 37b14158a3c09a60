import { createGunzip, createInflate } from "node:zlib";
import { ServeError } from "../../base/errors.ts";
import { copying } from "../copying.ts";
import { checkInflatedSize, type InflateLimits } from "../inflated-size.ts";
import type { TimeSlicer } from "../time-slicer.ts";

export type Coding = "gzip" | "deflate";

export interface Inflating {
  readonly limits: InflateLimits;
  readonly slicer: TimeSlicer;
  /** Pays for bytes as they come out. What it throws ends the inflating. */
  onBytes(count: number): void;
}

/** The contents of a compressed message. Throws what `onBytes` throws, `resource_exhausted` for a bomb, and `invalid_argument` for broken data. */
export async function inflateMessage(
  compressed: Uint8Array,
  coding: Coding,
  { limits, slicer, onBytes }: Inflating,
): Promise<Buffer> {
  const inflate = coding === "gzip" ? createGunzip() : createInflate();
  inflate.end(compressed);
  const pieces: { readonly at: number; readonly contents: Buffer }[] = [];
  let size = 0;
  try {
    // It works one piece ahead at most, so a bomb is found out after its first piece too many.
    for await (const contents of inflate as AsyncIterable<Buffer>) {
      pieces.push({ at: size, contents });
      size += contents.length;
      checkInflatedSize("message", { inflated: size, compressed: compressed.length }, limits);
      onBytes(contents.length);
    }
  } catch (error) {
    if (error instanceof ServeError) throw error;
    throw new ServeError(
      "invalid_argument",
      `the message is not valid ${coding} data, as its grpc-encoding says`,
      {
        reason: "bad_compression",
        cause: error,
      },
    );
  }
  if (pieces.length === 1) return pieces[0]!.contents;
  const whole = Buffer.allocUnsafeSlow(size);
  const copies = copying(whole, pieces);
  const slices = slicer.open(size);
  if (size > 0 && !slices.finishNow(copies)) await slices.finish(copies);
  return whole;
}
