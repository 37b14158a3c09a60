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

/** A part of an image. */
export interface Region {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Resizes with antialiasing, byte for byte as torchvision does: rows first, then columns, weights rounded to 16 bits, bytes in between. PIL's
 * weights have 22 bits, so its pixels differ by one here and there. Only the wanted `region` of the result is worked out; default: all.
 */
export function resizeImage(
  image: Pixels,
  [height, width]: readonly [number, number],
  filter: Filter,
  region: Region = { top: 0, left: 0, height, width },
): Pixels {
  if (image.width === width && image.height === height) return cut(image, region);
  if (filter === "nearest") return cut(nearest(image, [height, width]), region);
  const lines = image.height === height ? undefined : tapsOf(image.height, height, filter);
  // Only the rows that some row of the region is made of.
  const first = lines === undefined ? region.top : lines.first[region.top]!;
  const end = lines === undefined ? region.top + region.height : lastLine(lines, region);
  const wide =
    image.width === width
      ? cut(image, { top: first, left: region.left, height: end - first, width: region.width })
      : resizeRows(
          image,
          { top: first, left: region.left, height: end - first, width: region.width },
          tapsOf(image.width, width, filter),
        );
  return lines === undefined ? wide : resizeColumns(wide, { ...region, skipped: first }, lines);
}

function lastLine({ first, count }: Taps, { top, height }: Region): number {
  let end = 0;
  for (let y = top; y < top + height; y++) end = Math.max(end, first[y]! + count[y]!);
  return end;
}

function cut(image: Pixels, { top, left, height, width }: Region): Pixels {
  if (height === image.height && width === image.width) return image;
  const data = new Uint8Array(3 * height * width);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(from, from + 3 * width), 3 * y * width);
  }
  return { height, width, data };
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

/** Products and sums are of 32 bits, and said to be: that is twice as fast. */
function resizeRows({ data, width }: Pixels, { top, left, height, width: to }: Region, taps: Taps): Pixels {
  const out = new Uint8ClampedArray(height * to * 3);
  const { first, count, weights, bits, width: places } = taps;
  const half = bits === 0 ? 0 : 1 << (bits - 1);
  let at = 0;
  for (let y = top; y < top + height; y++) {
    const row = y * width * 3;
    for (let x = left; x < left + to; x++) {
      let source = row + first[x]! * 3;
      let r = half;
      let g = half;
      let b = half;
      const end = x * places + count[x]!;
      for (let k = x * places; k < end; k++) {
        const weight = weights[k]!;
        r = (r + Math.imul(data[source]!, weight)) | 0;
        g = (g + Math.imul(data[source + 1]!, weight)) | 0;
        b = (b + Math.imul(data[source + 2]!, weight)) | 0;
        source = (source + 3) | 0;
      }
      out[at] = r >> bits;
      out[at + 1] = g >> bits;
      out[at + 2] = b >> bits;
      at = (at + 3) | 0;
    }
  }
  return { width: to, height, data: new Uint8Array(out.buffer) };
}

function resizeColumns(
  { data, width }: Pixels,
  { top, height, skipped }: Region & { readonly skipped: number },
  taps: Taps,
): Pixels {
  const stride = width * 3;
  const out = new Uint8ClampedArray(height * stride);
  const sums = new Int32Array(stride);
  const { first, count, weights, bits, width: places } = taps;
  const half = bits === 0 ? 0 : 1 << (bits - 1);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    const line = top + y;
    for (let j = 0; j < count[line]!; j++) {
      addRow(sums, data, {
        from: (first[line]! + j - skipped) * stride,
        weight: weights[line * places + j]!,
      });
    }
    const at = y * stride;
    for (let i = 0; i < stride; i++) out[at + i] = sums[i]! >> bits;
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}

function addRow(
  sums: Int32Array,
  data: Uint8Array,
  { from, weight }: { readonly from: number; readonly weight: number },
): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i]! + Math.imul(data[from + i]!, weight)) | 0;
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
