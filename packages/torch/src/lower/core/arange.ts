import { add, type Dim, mul } from "../../graph/sym.ts";
import type { Emitter } from "./emitter.ts";
import type { Val } from "./tensor.ts";

/** start, start + step, …: `count` int64 numbers. */
export function arange(
  g: Emitter,
  count: Dim,
  { start = 0, step = 1 }: { start?: Dim; step?: Dim } = {},
): Val {
  const end = add(start, mul(count, step));
  return g.op("Range", [g.number(start, "int64"), g.number(end, "int64"), g.number(step, "int64")]);
}
