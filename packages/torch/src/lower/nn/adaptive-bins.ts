import { greatest } from "../../graph/bounds.ts";
import { add, type Dim, sym } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Val } from "../core/tensor.ts";

/** The bins of adaptive pooling along one axis, all given the length of the longest. */
export interface Bins {
  /** Elements of each bin, [bins, longest]; places that a shorter bin lacks repeat an element. */
  readonly index: Val;
  /** Which of them belong to the bin, [bins, longest]. */
  readonly isInside: Val;
  /** Elements per bin, [bins]. */
  readonly count: Val;
  readonly longest: Dim;
}

/** Bin i of `to` covers floor(i · from / to) to ceil((i + 1) · from / to) of `from` elements. */
export function bins(g: Emitter, from: Dim, to: Dim): Bins {
  const longest = longestBin(from, to);
  const [size, count] = [g.number(from, "int64"), g.number(greatest(to, 1), "int64")];
  const one = g.scalar("int64", 1);
  const bin = positions(g, to);
  const start = g.op("Div", [g.op("Mul", [bin, size]), count]);
  const next = g.op("Mul", [g.op("Add", [bin, one]), size]);
  const end = g.op("Div", [g.op("Add", [next, g.op("Sub", [count, one])]), count]);
  const reached = g.op("Add", [g.unsqueeze(start, [1]), g.unsqueeze(positions(g, longest), [0])]);
  return {
    index: g.op("Min", [reached, g.op("Sub", [size, one])]),
    isInside: g.op("Less", [reached, g.unsqueeze(end, [1])]),
    count: g.op("Sub", [end, start]),
    longest,
  };
}

/** An upper bound that is exact where the sizes are known. */
function longestBin(from: Dim, to: Dim): Dim {
  if (typeof from !== "number" || typeof to !== "number") {
    const some = greatest(to, 1);
    return add(sym("floordiv", add(from, add(some, -1)), some), 1);
  }
  const lengths = Array.from({ length: to }, (_, i) => {
    return Math.ceil(((i + 1) * from) / to) - Math.floor((i * from) / to);
  });
  return Math.max(0, ...lengths);
}
