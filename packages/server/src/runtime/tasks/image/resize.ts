import type { Pixels } from "./decode-image.ts";

/** How a pixel of the result is made of those around it; the numbers are PIL's, as preprocessor_config.json has them. */
export const FILTERS = { nearest: 0, lanczos: 1, bilinear: 2, bicubic: 3 } as const;
export type Filter = keyof typeof FILTERS;

interface Kernel {
  readonly support: number;
  weight(x: number): number;
}

const KERNELS: Readonly<Record<Exclude<Filter, "nearest">, Kernel>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x)) },
  lanczos: { support: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys' kernel with a = −0.5. */
function cubic(x: number): number {
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Which pixels of a row make each pixel of its result, and with what weights. */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `width` places for each pixel of the result. */
  readonly weights: Int32Array;
  readonly width: number;
  /** Weights are whole numbers: so many bits are behind the point. */
  readonly bits: number;
}

const known = new Map<string, Taps>();
const MAX_KNOWN = 64;

/**
 * Resizes with antialiasing, byte for byte as torchvision does: rows first, then columns, weights rounded to 16 bits, bytes in between. PIL's
 * weights have 22 bits, so its pixels differ by one here and there.
 */
export function resizeImage(
  image: Pixels,
  [height, width]: readonly [number, number],
  filter: Filter,
): Pixels {
  if (image.width === width && image.height === height) return image;
  if (filter === "nearest") return nearest(image, [height, width]);
  const wide = image.width === width ? image : resizeRows(image, width, tapsOf(image.width, width, filter));
  return wide.height === height ? wide : resizeColumns(wide, height, tapsOf(image.height, height, filter));
}

function tapsOf(from: number, to: number, filter: Exclude<Filter, "nearest">): Taps {
  const key = `${from} ${to} ${filter}`;
  let taps = known.get(key);
  if (taps === undefined) {
    taps = computeTaps(from, to, KERNELS[filter]);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(key, taps);
  }
  return taps;
}

function computeTaps(from: number, to: number, kernel: Kernel): Taps {
  const scale = from / to;
  const support = scale >= 1 ? kernel.support * scale : kernel.support;
  const inverse = scale >= 1 ? 1 / scale : 1;
  const width = Math.ceil(support) * 2 + 1;
  const [first, count] = [new Int32Array(to), new Int32Array(to)];
  const exact = new Float64Array(to * width);
  let most = 0;
  for (let i = 0; i < to; i++) {
    const center = scale * (i + 0.5);
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const size = Math.max(0, Math.min(Math.trunc(center + support + 0.5), from) - start);
    first[i] = start;
    count[i] = Math.min(size, width);
    let total = 0;
    for (let j = 0; j < count[i]!; j++) {
      const weight = kernel.weight((j + start - center + 0.5) * inverse);
      exact[i * width + j] = weight;
      total += weight;
    }
    for (let j = 0; j < count[i]!; j++) {
      const weight = total === 0 ? exact[i * width + j]! : exact[i * width + j]! / total;
      exact[i * width + j] = weight;
      most = Math.max(most, weight);
    }
  }
  const bits = bitsFor(most);
  const weights = new Int32Array(exact.length);
  for (let k = 0; k < exact.length; k++) {
    const scaled = exact[k]! * 2 ** bits;
    weights[k] = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  }
  return { first, count, weights, width, bits };
}

/** As many as leave the largest weight below 2¹⁵. */
function bitsFor(most: number): number {
  let bits = 0;
  while (bits < 22 && Math.trunc(0.5 + most * 2 ** (bits + 1)) < 2 ** 15) bits++;
  return bits;
}

function resizeRows({ data, width, height }: Pixels, to: number, taps: Taps): Pixels {
  const out = new Uint8ClampedArray(height * to * 3);
  const { first, count, weights, bits } = taps;
  const half = bits === 0 ? 0 : 1 << (bits - 1);
  let at = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * 3;
    for (let x = 0; x < to; x++) {
      let source = row + first[x]! * 3;
      let [r, g, b] = [half, half, half];
      const end = x * taps.width + count[x]!;
      for (let k = x * taps.width; k < end; k++, source += 3) {
        const weight = weights[k]!;
        r += data[source]! * weight;
        g += data[source + 1]! * weight;
        b += data[source + 2]! * weight;
      }
      out[at++] = r >> bits;
      out[at++] = g >> bits;
      out[at++] = b >> bits;
    }
  }
  return { width: to, height, data: new Uint8Array(out.buffer) };
}

function resizeColumns({ data, width }: Pixels, to: number, taps: Taps): Pixels {
  const stride = width * 3;
  const out = new Uint8ClampedArray(to * stride);
  const sums = new Int32Array(stride);
  const { first, count, weights, bits } = taps;
  const half = bits === 0 ? 0 : 1 << (bits - 1);
  for (let y = 0; y < to; y++) {
    sums.fill(half);
    for (let j = 0; j < count[y]!; j++) {
      const weight = weights[y * taps.width + j]!;
      const row = (first[y]! + j) * stride;
      for (let i = 0; i < stride; i++) sums[i] = sums[i]! + data[row + i]! * weight;
    }
    const at = y * stride;
    for (let i = 0; i < stride; i++) out[at + i] = sums[i]! >> bits;
  }
  return { width, height: to, data: new Uint8Array(out.buffer) };
}

function nearest(image: Pixels, [height, width]: readonly [number, number]): Pixels {
  const out = new Uint8Array(height * width * 3);
  const [scaleY, scaleX] = [Math.fround(image.height / height), Math.fround(image.width / width)];
  let at = 0;
  for (let y = 0; y < height; y++) {
    const row = Math.min(Math.floor(Math.fround((y + 0.5) * scaleY)), image.height - 1) * image.width;
    for (let x = 0; x < width; x++) {
      const source = 3 * (row + Math.min(Math.floor(Math.fround((x + 0.5) * scaleX)), image.width - 1));
      out[at++] = image.data[source]!;
      out[at++] = image.data[source + 1]!;
      out[at++] = image.data[source + 2]!;
    }
  }
  return { width, height, data: out };
}
