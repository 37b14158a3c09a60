import type { Emitter } from "./emitter.ts";
import type { OpNode } from "./op-node.ts";
import type { Val } from "./tensor.ts";

/**
 * Translates one op: reads its arguments from `node`, emits ONNX with `g`, returns its results in order (one, or one per output of the
 * node). Results are cast to the declared dtype by the caller. `unsupported(reason)` reports the op as unsupported.
 */
export type Lowering = (node: OpNode, g: Emitter) => Val | readonly (Val | undefined)[];

/** Lowerings by target, such as "aten.add.Tensor". */
export type LoweringTable = Readonly<Record<string, Lowering>>;

/** One lowering for several overloads: `all("add", add, ["Tensor", "Scalar"])`. */
export function all(op: string, lowering: Lowering, overloads: readonly string[]): LoweringTable {
  return Object.fromEntries(overloads.map((overload) => [`aten.${op}.${overload}`, lowering]));
}
