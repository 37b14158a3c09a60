import { notWav } from "./read-wav.ts";
import { MAX_SAMPLES, type Sound } from "./sound-draft.ts";

/** Zero crossings of the filter on each side, and the share of the band that it keeps: torchaudio's own. */
const CROSSINGS = 6;
const ROLLOFF = 0.99;
/** Filters that are worked out once: rates that have little in common have too many. */
const MAX_TAPS = 2 ** 20;

/**
 * Gives a sound another rate, as `torchaudio.functional.resample` does: a sinc filter under a Hann window. Throws `invalid_argument` for one that would become
 * too long: a file may say that a second of it has one sample.
 */
export function resample({ rate, samples }: Sound, wanted: number): Float32Array {
  if (rate === wanted) return samples;
  const common = divisor(rate, wanted);
  const [from, to] = [rate / common, wanted / common];
  const base = Math.min(from, to) * ROLLOFF;
  const width = Math.ceil((CROSSINGS * from) / base);
  const length = Math.ceil((to * samples.length) / from);
  if (length > MAX_SAMPLES)
    throw notWav(`at ${wanted} samples a second it is longer than ${MAX_SAMPLES} samples`);
  const out = new Float32Array(length);
  const taps = 2 * width + from;
  const filters = to * taps <= MAX_TAPS ? new Map<number, Float64Array>() : undefined;
  for (let j = 0; j < out.length; j++) {
    const phase = j % to;
    const block = Math.floor(j / to) * from;
    const known = filters?.get(phase);
    const filter = known ?? filterOf({ from, to, base, width }, phase);
    if (known === undefined) filters?.set(phase, filter);
    out[j] = applied(samples, block, filter);
  }
  return out;
}

interface Rates {
  readonly from: number;
  readonly to: number;
  readonly base: number;
  readonly width: number;
}

/** The weights that are not zero, behind the place of the first. */
function filterOf({ from, to, base, width }: Rates, phase: number): Float64Array {
  const reach = CROSSINGS / base;
  const middle = (phase / to) * from;
  const first = Math.max(-width, Math.ceil(middle - reach * from));
  const last = Math.min(width + from - 1, Math.floor(middle + reach * from));
  const filter = new Float64Array(Math.max(0, last - first + 1) + 1);
  filter[0] = first;
  for (let i = first; i <= last; i++) {
    const t = Math.min(CROSSINGS, Math.max(-CROSSINGS, (i / from - phase / to) * base));
    const window = Math.cos((t * Math.PI) / CROSSINGS / 2) ** 2;
    const angle = t * Math.PI;
    filter[i - first + 1] = ((angle === 0 ? 1 : Math.sin(angle) / angle) * window * base) / from;
  }
  return filter;
}

function applied(samples: Float32Array, block: number, filter: Float64Array): number {
  const start = block + filter[0]!;
  let sum = 0;
  for (let k = 1; k < filter.length; k++) {
    const sample = samples[start + k - 1];
    if (sample !== undefined) sum += sample * filter[k]!;
  }
  return sum;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
