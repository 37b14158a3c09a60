import type { Sharp, SharpOptions } from "sharp";
import { ServeError } from "../../../base/errors.ts";
import { withoutTexts } from "./png-texts.ts";

/** Pixels in rows from the top, three bytes each: red, green, blue. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** 64 million: a small file can claim any size, and each pixel takes three bytes. */
const MAX_PIXELS = 2 ** 26;
const DECODERS = ["Jpeg", "Png", "Webp", "Nsgif", "Tiff"].map((name) => `VipsForeignLoad${name}Buffer`);
const OPTIONS: SharpOptions = {
  limitInputPixels: MAX_PIXELS,
  failOn: "truncated",
  // As PIL does: colours are what the file says, not what its profile makes of them.
  ignoreIcc: true,
  pages: 1,
};

type OpenImage = (bytes: Uint8Array, options: SharpOptions) => Sharp;
let opening: Promise<OpenImage> | undefined;

/**
 * An image file's pixels as PIL's `convert("RGB")` gives them: turned as its EXIF data says, alpha left out, grey as three equal channels. Throws
 * `invalid_argument`.
 */
export async function decodeImage(bytes: Uint8Array): Promise<Pixels> {
  opening ??= loadSharp();
  const open = await opening;
  try {
    const image = open(withoutTexts(bytes), OPTIONS);
    const { data, info } = await image
      .autoOrient()
      .removeAlpha()
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { width, height, data: channels === 3 ? data : toThree(data, channels) };
  } catch (thrown) {
    throw notImage((thrown as Error).message, thrown);
  }
}

async function loadSharp(): Promise<OpenImage> {
  const { default: sharp } = await import("sharp");
  // A worker has one job at a time, and never the same image twice.
  sharp.cache(false);
  sharp.concurrency(1);
  // SVG, PDF and the like draw, read other files and bring decoders of their own.
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: [...DECODERS] });
  return sharp;
}

function toThree(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const out = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) out[3 * i + c] = data[channels * i + Math.min(c, channels - 1)]!;
  }
  return out;
}

function notImage(why: string, cause?: unknown): ServeError {
  const line = why.split("\n", 1)[0]!.slice(0, 200);
  return new ServeError(
    "invalid_argument",
    `input: not an image that can be read (JPEG, PNG, WebP, GIF or TIFF, whole, at most ${MAX_PIXELS} pixels): ${line}`,
    { reason: "invalid_input", cause },
  );
}
