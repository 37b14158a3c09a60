import type { ReadExternal } from "../onnx/model.ts";
import type { Rewrite } from "./rewrite.ts";
import { weightFloats } from "./weight-floats.ts";

/** Weights smaller than this stay: a Cast each would cost more than the bytes. */
const MIN_ELEMENTS = 256;

/** Stores float32 weights as float16 and casts them back where they are used: half the file, the same arithmetic. */
export function halfWeights(rewrite: Rewrite, read: ReadExternal): void {
  for (const weight of [...rewrite.initializers]) {
    if (rewrite.weight(weight.name) === undefined) continue;
    const elements = weight.dims.reduce((count, size) => count * size, 1);
    if (elements < MIN_ELEMENTS) continue;
    const values = weightFloats(weight, read);
    if (values.some((value) => Number.isFinite(value) && Math.abs(value) > MAX_HALF)) {
      rewrite.skip(weight.name, `it holds values beyond ±${MAX_HALF}, the range of float16`);
      continue;
    }
    const data = new Uint8Array(Uint16Array.from(values, halfBits).buffer);
    const half = rewrite.initializer(`${weight.name}.float16`, { dtype: "float16", dims: weight.dims, data });
    rewrite.emit({ type: "Cast", inputs: [half], outputs: [weight.name], attributes: { to: 1 } });
    rewrite.removeWeight(weight.name);
    rewrite.done(weight.name);
  }
  rewrite.keepNodes();
}

const MAX_HALF = 65_504;
const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** The float16 nearest to a number, ties to even (IEEE 754). */
export function halfBits(value: number): number {
  FLOAT[0] = value;
  const bits = BITS[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127;
  const fraction = bits & 0x7fffff;
  if (exponent === 128) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200);
  if (exponent >= -14) return sign | Math.min(0x7c00, ((exponent + 15) << 10) + roundShift(fraction, 13));
  if (exponent < -25) return sign;
  return sign | roundShift(fraction | 0x800000, -exponent - 1);
}

/** `value >> shift`, rounded to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const half = 2 ** (shift - 1);
  const low = value % 2 ** shift;
  const high = Math.floor(value / 2 ** shift);
  return low > half || (low === half && high % 2 === 1) ? high + 1 : high;
}
