import { halfBits } from "../half-floats.ts";
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
    if (elements < MIN_ELEMENTS) {
      if (weight.dims.length > 1) rewrite.skip(weight.name, `it has fewer than ${MIN_ELEMENTS} values`);
      continue;
    }
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
