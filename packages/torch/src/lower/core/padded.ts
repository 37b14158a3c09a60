import type { Dim } from "../../graph/sym.ts";
import type { Emitter } from "./emitter.ts";
import type { Val } from "./tensor.ts";

/** Elements to add in front of and behind one axis; ONNX cuts negative ones off. */
export interface AxisPad {
  readonly axis: number;
  readonly before: Dim;
  readonly after: Dim;
}

export interface PadOptions {
  readonly rank: number;
  readonly pads: readonly AxisPad[];
  readonly mode?: "constant" | "reflect" | "edge" | "wrap";
  /** Of the type of what is padded; zero by default. */
  readonly value?: Val | undefined;
}

/**
 * A Pad that names all axes: one with `axes` comes out wrong where ONNX Runtime moves a transposition over it, since it turns the pads
 * and not the axes.
 */
export function padded(g: Emitter, x: Val, { rank, pads, mode = "constant", value }: PadOptions): Val {
  const amounts = new Array<Dim>(2 * rank).fill(0);
  for (const { axis, before, after } of pads) {
    amounts[axis] = before;
    amounts[rank + axis] = after;
  }
  return g.op("Pad", [x, g.shape(amounts), value], { mode });
}
