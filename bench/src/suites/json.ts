import { ByteWriter, decodeJsonTensor, encodeJsonTensor } from "@sconce/protocol";
import { median } from "../median.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const SHAPE = [1, 3, 224, 224];
const COUNT = 3 * 224 * 224;
const ROUNDS = 15;
const WARM_ROUNDS = 5;
/** Numbers whose rounding is compared with a reference. */
const RANDOM_CASES = 10_000_000;
const HARD_CASES = 200_000;
const PER_TEXT = 100_000;

/** Numbers as clients spell them: of an image scaled to 0–1 and rounded, normalized as torchvision does, and as Python writes a float32. */
const SPELLINGS: Readonly<Record<string, (i: number) => string>> = {
  "6 digits, 0–1": (i) => fraction(i).toFixed(6),
  "6 digits, normalized": (i) => ((fraction(i) - 0.456) / 0.224).toFixed(6),
  "17 digits": (i) => String(Math.fround(fraction(i))),
  "whole numbers": (i) => String(Math.floor(fraction(i) * 256)),
};

/** Uniform in [0, 1), the same in every run. */
function fraction(i: number): number {
  let x = Math.imul(i + 1, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
  return ((x ^ (x >>> 13)) >>> 0) / 2 ** 32;
}

/** Milliseconds of processor time that one call takes: the median of several rounds. */
function cpuMs(work: () => unknown): number {
  const rounds: number[] = [];
  for (let round = 0; round < WARM_ROUNDS + ROUNDS; round++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    if (round >= WARM_ROUNDS) rounds.push((user + system) / 1000);
  }
  return median(rounds);
}

function speed(name: string, spell: (i: number) => string): Record<string, string | number> {
  const text = Buffer.from(`[${Array.from({ length: COUNT }, (_, i) => spell(i)).join(",")}]`);
  const span = { start: 0, end: text.length };
  const megabytes = text.length / 1e6;
  const options = { field: "data", datatype: "FP32", shape: SHAPE } as const;
  const decodeMs = cpuMs(() => decodeJsonTensor(text, span, options));
  const parseMs = cpuMs(() => Float32Array.from(JSON.parse(text.toString()) as number[]));
  const tensor = decodeJsonTensor(text, span, options);
  const values = new Float32Array(tensor.bytes.buffer, tensor.bytes.byteOffset, COUNT);
  const encodeMs = cpuMs(() => {
    const out = new ByteWriter(COUNT * 8);
    encodeJsonTensor(out, tensor, { layout: "flat", nonFinite: "bare" });
    return out.finish();
  });
  const stringifyMs = cpuMs(() => Buffer.from(JSON.stringify(Array.from(values))));
  return {
    numbers: name,
    "text MB": megabytes,
    "decode MB/s": (megabytes / decodeMs) * 1000,
    "JSON.parse MB/s": (megabytes / parseMs) * 1000,
    "encode ms": encodeMs,
    "JSON.stringify ms": stringifyMs,
    "stringify / encode": stringifyMs / encodeMs,
  };
}

/**
 * The float32 nearest to a decimal text, ties to even. V8 rounds it to a float64 correctly; only where that lies exactly between two
 * float32s is the text itself compared with it, in whole numbers.
 */
function referenceFloat32(text: string): number {
  const double = Number(text);
  const near = Math.fround(double);
  if (near === double || !Number.isFinite(near)) return near;
  const other = neighbour(near, double > near ? 1 : -1);
  if ((near + other) / 2 !== double) return near;
  const side = compareDecimal(text, double);
  if (side === 0) return near;
  return side > 0 ? Math.max(near, other) : Math.min(near, other);
}

const FLOAT = new Float32Array(1);
const BITS = new Int32Array(FLOAT.buffer);

function neighbour(value: number, direction: 1 | -1): number {
  FLOAT[0] = value;
  BITS[0]! += value > 0 === direction > 0 ? 1 : -1;
  return FLOAT[0]!;
}

/** −1, 0 or 1: whether the text's number is below, at or above a float64. */
function compareDecimal(text: string, double: number): number {
  const [, sign = "", whole = "", part = "", power = "0"] = /^(-?)(\d+)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(
    text,
  )!;
  let left = BigInt(`${sign}${whole}${part}`);
  const scale = Number(power) - part.length;
  // A float64 is a whole number of 2^-1074.
  let right = 0n;
  let shift = 0;
  let rest = double;
  while (!Number.isInteger(rest)) {
    rest *= 2;
    shift++;
  }
  right = BigInt(rest);
  left <<= BigInt(shift);
  if (scale >= 0) left *= 10n ** BigInt(scale);
  else right *= 10n ** BigInt(-scale);
  return left === right ? 0 : left > right ? 1 : -1;
}

/** Larger ones may be rounded to infinity, which is not read. */
const LARGEST = 3e38;

/** Any float32, by its bits. */
function anyFloat32(seed: number): number {
  BITS[0] = Math.floor(fraction(seed) * 2 ** 32) | 0;
  return Math.abs(FLOAT[0]!) < LARGEST ? FLOAT[0]! : Math.fround(fraction(seed + 1));
}

function randomText(i: number): string {
  const seed = i * 3;
  switch (i % 5) {
    case 0:
      return fraction(seed).toFixed(6);
    case 1:
      return String(anyFloat32(seed));
    case 2:
      return anyFloat32(seed).toPrecision(1 + (i % 21));
    case 3:
      return ((fraction(seed) - 0.5) * 10 ** Math.floor(fraction(seed + 1) * 12)).toString();
    default:
      return String(Math.floor(fraction(seed) * 2 ** 40) / 2 ** (i % 60));
  }
}

/** On the border between two float32s, and a last digit above and below it. */
function hardText(i: number): string {
  const value = Math.abs(anyFloat32(i * 7));
  const border = (value + neighbour(value, 1)) / 2;
  const exact = exactText(border);
  switch (i % 3) {
    case 0:
      return exact;
    case 1:
      return exact.includes(".") ? `${exact}1` : `${exact}.0000000000000000000001`;
    default: {
      const scaled = BigInt(exact.replace(".", "")) * 10n - 1n;
      const places = (exact.split(".")[1]?.length ?? 0) + 1;
      const digits = String(scaled).padStart(places + 1, "0");
      return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
    }
  }
}

/** All digits of a float64. */
function exactText(double: number): string {
  let shift = 0;
  let rest = double;
  while (!Number.isInteger(rest)) {
    rest *= 2;
    shift++;
  }
  const digits = String(BigInt(rest) * 5n ** BigInt(shift)).padStart(shift + 1, "0");
  return shift === 0 ? digits : `${digits.slice(0, -shift)}.${digits.slice(-shift)}`;
}

/** How many of so many numbers come out as another float32 than the reference says, or come back as another one after they were written. */
function wrongOnes(
  count: number,
  spell: (i: number) => string,
): { readonly read: number; readonly written: number } {
  let [read, written] = [0, 0];
  for (let from = 0; from < count; from += PER_TEXT) {
    const texts = Array.from({ length: Math.min(PER_TEXT, count - from) }, (_, i) => spell(from + i));
    const options = { field: "data", datatype: "FP32", shape: undefined } as const;
    const decode = (text: Buffer): Float32Array => {
      const { bytes } = decodeJsonTensor(text, { start: 0, end: text.length }, options);
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    };
    const values = decode(Buffer.from(`[${texts.join(",")}]`));
    for (const [i, text] of texts.entries()) if (!Object.is(values[i], referenceFloat32(text))) read += 1;
    const out = new ByteWriter(texts.length * 12);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    encodeJsonTensor(
      out,
      { datatype: "FP32", shape: [values.length], bytes },
      { layout: "flat", nonFinite: "bare" },
    );
    const back = decode(Buffer.from(out.finish()));
    for (let i = 0; i < values.length; i++) if (!Object.is(values[i], back[i])) written += 1;
  }
  return { read, written };
}

/** JSON tensors: how fast they are read and written, and that every number is the nearest float32. */
export const json: Suite = {
  summary: "JSON tensors of 1×3×224×224: processor time beside JSON.parse and JSON.stringify; exact rounding",
  async run(print) {
    const rows = Object.entries(SPELLINGS).map(([name, spell]) => speed(name, spell));
    print(table(rows));
    const random = wrongOnes(RANDOM_CASES, randomText);
    const hard = wrongOnes(HARD_CASES, hardText);
    print(
      `${RANDOM_CASES} random and ${HARD_CASES} hard numbers: ` +
        `${random.read + hard.read} read wrongly, ${random.written + hard.written} changed by writing and reading`,
    );
    return { rows, random, hard };
  },
};
