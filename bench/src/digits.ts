import { readFileSync } from "node:fs";

interface Expected {
  readonly heldOut: readonly { readonly label: number; readonly pixels: readonly number[] }[];
}

/** The first held-out digit as a `/predict` body, and what it shows. */
export function digitsBody(): { readonly body: string; readonly label: number } {
  const { label, pixels } = firstDigit();
  const rows = Array.from({ length: 8 }, (_, y) => pixels.slice(8 * y, 8 * y + 8));
  return { body: JSON.stringify({ input: [rows] }), label };
}

/** The same digit as float32 bytes, [1, 1, 8, 8]. */
export function digitsTensor(): Uint8Array {
  return new Uint8Array(Float32Array.from(firstDigit().pixels).buffer);
}

function firstDigit(): { readonly label: number; readonly pixels: number[] } {
  const file = new URL("../../examples/digits/expected.json", import.meta.url);
  const { heldOut } = JSON.parse(readFileSync(file, "utf8")) as Expected;
  const { label, pixels } = heldOut[0]!;
  return { label, pixels: pixels.map((value) => value / 16) };
}
