import { countedLoop } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import { truncatedRemainder } from "../core/exact-integers.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";

/** Euclid's algorithm ends after so many steps for numbers of 63 bits (the worst are two neighbours of Fibonacci's). */
const MOST_STEPS = 92;

/** The greatest common divisor of two int64 values of one shape; both are kept in one tensor while they change. */
function greatestDivisor(g: Emitter, a: Val, b: Val): Val {
  const zero = g.scalar("int64", 0);
  const pair = (inner: Emitter, x: Val, y: Val): Val =>
    inner.op("Concat", [inner.unsqueeze(x, [0]), inner.unsqueeze(y, [0])], { axis: 0 });
  const of = (inner: Emitter, both: Val, i: number): Val =>
    inner.op("Gather", [both, inner.scalar("int64", i)], { axis: 0 });
  const initial = pair(g, a, b);
  const last = countedLoop(g, { count: g.scalar("int64", MOST_STEPS), initial }, (inner, _turn, both) => {
    const [x, y] = [of(inner, both, 0), of(inner, both, 1)];
    const isDone = inner.op("Equal", [y, zero]);
    const divisor = inner.where(isDone, inner.scalar("int64", 1), y);
    const rest = truncatedRemainder(inner, x, divisor);
    return pair(inner, inner.where(isDone, x, y), inner.where(isDone, zero, rest));
  });
  return of(g, last, 0);
}

function operands(node: OpNode, g: Emitter): readonly [Val, Val] {
  const { dims } = node.out();
  const [a, b] = ["self", "other"].map((name) => g.expand(g.cast(node.tensor(name), "int64"), dims));
  return [a!, b!];
}

/** The divisor in the order and with the signs of PyTorch's loop, in which the least number of a type has no positive twin. */
function divisorOf(node: OpNode, g: Emitter, [a, b]: readonly [Val, Val]): Val {
  const size = (x: Val): Val => g.cast(g.cast(g.op("Abs", [x]), node.out().dtype), "int64");
  return greatestDivisor(g, size(b), size(a));
}

/** aten::gcd(Tensor self, Tensor other) -> Tensor */
export const gcd: Lowering = (node, g) => {
  return g.cast(divisorOf(node, g, operands(node, g)), node.out().dtype);
};

/** aten::lcm(Tensor self, Tensor other) -> Tensor: 0 where both are 0 */
export const lcm: Lowering = (node, g) => {
  const [a, b] = operands(node, g);
  const divisor = divisorOf(node, g, [a, b]);
  const one = g.scalar("int64", 1);
  const is = (value: number): Val => g.op("Equal", [divisor, g.scalar("int64", value)]);
  // Dividing the least number by -1 ends the process; the sign goes anyway.
  const quotient = g.op("Div", [a, g.where(g.op("Or", [is(0), is(-1)]), one, divisor)]);
  // A product beyond the type wraps; its sign goes, as in PyTorch.
  const { dtype } = node.out();
  const product = g.op("Mul", [quotient, b]);
  const wrapped = dtype === "int32" ? g.cast(g.cast(product, dtype), "int64") : product;
  return g.cast(g.op("Abs", [wrapped]), dtype);
};

export const DIVISORS: LoweringTable = {
  "aten.gcd.default": gcd,
  "aten.lcm.default": lcm,
};
