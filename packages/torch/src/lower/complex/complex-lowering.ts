import type { Component } from "../core/component-node.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { ComplexVal, Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** A result is a pair where the program declares a complex one, a real value elsewhere. */
export type Result = Val | ComplexVal;

/** Translates one op that takes or gives complex values; as `Lowering` otherwise. */
export type ComplexLowering = (node: OpNode, g: Emitter) => Result | readonly (Result | undefined)[];

/** By target. What it has no entry for is refused when it meets a complex value. */
export type ComplexTable = Readonly<Record<string, ComplexLowering>>;

/** Ops that treat both parts alike and apart: all that move elements, add them up or choose between them. */
export function componentwise(lowering: Lowering, args: readonly string[]): ComplexLowering {
  return (node, g) => {
    const of = (part: Component): ReturnType<Lowering> =>
      lowering(node.component(Object.fromEntries(args.map((name) => [name, part])), g), g);
    const [re, im] = [of("re"), of("im")];
    if ("name" in re) return "name" in im ? { re, im } : unsupported("its parts differ");
    return re.map((val, i) => {
      const other = "name" in im ? undefined : im[i];
      return val === undefined || other === undefined ? undefined : { re: val, im: other };
    });
  };
}

/** A tensor whose last dimension of 2 holds real and imaginary part, as ONNX's DFT and torch.view_as_real have it. */
export function joined(g: Emitter, { re, im }: ComplexVal, rank: number): Val {
  return g.op("Concat", [g.unsqueeze(re, [rank]), g.unsqueeze(im, [rank])], { axis: rank });
}

/** Undoes `joined`. `rank` is that of the complex value. */
export function separated(g: Emitter, val: Val, rank: number): ComplexVal {
  const [re, im] = [0, 1].map((at) => g.op("Gather", [val, g.scalar("int64", at)], { axis: rank }));
  return { re: re!, im: im! };
}

/** The two parts of an argument in one dtype; `im` is undefined where it is real. */
export interface Components {
  readonly re: Val;
  readonly im: Val | undefined;
}

/** An argument that may be real, as parts of `dtype`. */
export function componentsOf(
  node: OpNode,
  name: string,
  { g, dtype }: { g: Emitter; dtype: Val["dtype"] },
): Components {
  const part = (choice: Component): Val => g.as(node.component({ [name]: choice }, g).operand(name), dtype);
  return { re: part("re"), im: node.isComplex(name) ? part("im") : undefined };
}

/** The size of a tensor argument, complex or not. */
export function realPart(node: OpNode, name: string, g: Emitter): Tensor {
  return node.component({ [name]: "re" }, g).tensor(name);
}
