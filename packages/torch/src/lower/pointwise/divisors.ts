import { countedLoop } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
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
    const rest = inner.op("Mod", [x, divisor], { fmod: 0 });
    return pair(inner, inner.where(isDone, x, y), inner.where(isDone, zero, rest));
  });
  return of(g, last, 0);
}

function operands(node: Parameters<Lowering>[0], g: Emitter): readonly [Val, Val] {
  const { dims } = node.out();
  const [a, b] = ["self", "other"].map((name) =>
    g.expand(g.op("Abs", [g.cast(node.tensor(name), "int64")]), dims),
  );
  return [a!, b!];
}

/** aten::gcd(Tensor self, Tensor other) -> Tensor */
export const gcd: Lowering = (node, g) => {
  const [a, b] = operands(node, g);
  return g.cast(greatestDivisor(g, a, b), node.out().dtype);
};

/** aten::lcm(Tensor self, Tensor other) -> Tensor: 0 where both are 0 */
export const lcm: Lowering = (node, g) => {
  const [a, b] = operands(node, g);
  const divisor = greatestDivisor(g, a, b);
  const isNothing = g.op("Equal", [divisor, g.scalar("int64", 0)]);
  const safe = g.where(isNothing, g.scalar("int64", 1), divisor);
  // A product beyond 63 bits wraps; its sign goes, as in PyTorch.
  const multiple = g.op("Abs", [g.op("Mul", [g.op("Div", [a, safe]), b])]);
  return g.cast(multiple, node.out().dtype);
};

export const DIVISORS: LoweringTable = {
  "aten.gcd.default": gcd,
  "aten.lcm.default": lcm,
};
