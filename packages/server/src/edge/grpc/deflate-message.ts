import { promisify } from "node:util";
import { constants, deflate, gzip } from "node:zlib";
import type { Coding } from "./inflate-message.ts";
import { PREFIX_BYTES } from "./message-decoder.ts";

/** Smaller responses gain nothing. */
const WORTHWHILE_BYTES = 8 * 1024;
/** Compressed by a flag in a message's prefix (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const COMPRESSED = 1;

const coders = { gzip: promisify(gzip), deflate: promisify(deflate) };

/**
 * How a call's response is compressed: as its request was, as gRPC's own servers do it, where the client says that it takes that, too. Most clients say so
 * without being asked, and floats rarely get smaller: what they accept alone is no wish.
 */
export function responseCoding(
  frameBytes: number,
  requestCoding: Coding | undefined,
  accepted: string | undefined,
): Coding | undefined {
  if (requestCoding === undefined || frameBytes < WORTHWHILE_BYTES || accepted === undefined)
    return undefined;
  return accepted.split(",").some((one) => one.trim() === requestCoding) ? requestCoding : undefined;
}

/** A frame with its message compressed, off this thread. */
export async function deflateFrame(frame: Buffer, coding: Coding): Promise<Buffer> {
  const message = await coders[coding](frame.subarray(PREFIX_BYTES), { level: constants.Z_BEST_SPEED });
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix[0] = COMPRESSED;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
