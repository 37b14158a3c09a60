import { bytesOf } from "./int8-codes.ts";
import type { Rewrite } from "./rewrite.ts";

/** ReduceMax has its axes as an input from here on, as an attribute before. */
const AXES_INPUT_OPSET = 18;
/** Keeps the scale of zeros above zero. */
const LEAST = 1e-30;
/** Code of the number 0, for all activations. */
const MIDDLE = 128;
const MOST = 127;

/** An activation as uint8 codes: value ≈ (code − zero) · scale, with a scale of its own for whatever `axes` do not run through. */
export interface RowCodes {
  readonly codes: string;
  /** Has size 1 along the axes. */
  readonly scale: string;
  /** A scalar. */
  readonly zero: string;
}

/**
 * Emits the codes of an activation, symmetric, measured at every run over `axes` alone: what is beside it in a batch has no part in it, so that the
 * same row has the same codes wherever it is. Nodes that quantize one activation along the same axes share them.
 */
export function rowCodes(activation: string, axes: readonly number[], rewrite: Rewrite): RowCodes {
  const zero = rewrite.shared("middle code", () => [
    rewrite.initializer("zero", { dtype: "uint8", dims: [], data: Uint8Array.of(MIDDLE) }),
  ])[0]!;
  const [codes, scale] = rewrite.shared(`uint8 ${axes} ${activation}`, () => {
    const sizes = rewrite.emit({ type: "Abs", inputs: [activation] });
    const held = rewrite.emit({
      type: "Add",
      inputs: [largest(sizes, axes, rewrite), rewrite.scalar(LEAST)],
    });
    const scale = rewrite.emit({ type: "Div", inputs: [held, rewrite.scalar(MOST)] });
    const steps = rewrite.emit({ type: "Div", inputs: [activation, scale] });
    return [rewrite.emit({ type: "QuantizeLinear", inputs: [steps, rewrite.scalar(1), zero] }), scale];
  });
  return { codes: codes!, scale: scale!, zero };
}

function largest(sizes: string, axes: readonly number[], rewrite: Rewrite): string {
  if (rewrite.opset < AXES_INPUT_OPSET)
    return rewrite.emit({ type: "ReduceMax", inputs: [sizes], attributes: { axes, keepdims: 1 } });
  const data = bytesOf(BigInt64Array.from(axes, BigInt));
  const [list] = rewrite.shared(`axes ${axes}`, () => [
    rewrite.initializer("axes", { dtype: "int64", dims: [axes.length], data }),
  ]);
  return rewrite.emit({ type: "ReduceMax", inputs: [sizes, list!], attributes: { keepdims: 1 } });
}
