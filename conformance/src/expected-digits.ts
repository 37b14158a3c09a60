import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A held-out scan with what PyTorch itself says about it. */
export interface ExpectedDigit {
  readonly label: number;
  /** 64 values, row by row, as the model takes them (0–1). */
  readonly image: Float32Array;
  readonly probabilities: readonly number[];
}

interface ExpectedFile {
  readonly accuracy: number;
  readonly heldOut: readonly {
    readonly label: number;
    readonly pixels: readonly number[];
    readonly probabilities: number[];
  }[];
}

export const MODELS_FOLDER: string = fileURLToPath(new URL("../../examples/models", import.meta.url));
export const DIGITS_FOLDER: string = fileURLToPath(new URL("../../examples/digits", import.meta.url));

/** All held-out digits and PyTorch's accuracy on them, written by examples/digits/train.py. */
export function expectedDigits(): { readonly accuracy: number; readonly digits: readonly ExpectedDigit[] } {
  const file = JSON.parse(readFileSync(`${DIGITS_FOLDER}/expected.json`, "utf8")) as ExpectedFile;
  const digits = file.heldOut.map(({ label, pixels, probabilities }) => ({
    label,
    image: Float32Array.from(pixels, (value) => value / 16),
    probabilities,
  }));
  return { accuracy: file.accuracy, digits };
}

/** One scan as nested `[1][8][8]` rows. */
export function nestedImage({ image }: ExpectedDigit): number[][][] {
  return [Array.from({ length: 8 }, (_, y) => Array.from(image.subarray(8 * y, 8 * y + 8)))];
}

/** Index of the largest value. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
