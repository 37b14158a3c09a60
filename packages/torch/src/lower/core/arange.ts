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

/** 0, 1, … size - 1 as int64. */
export function positions(g: Emitter, size: Dim): Val {
  if (typeof size === "number") return g.ints(Array.from({ length: size }, (_, i) => i));
  return g.op("Range", [g.scalar("int64", 0), g.number(size, "int64"), g.scalar("int64", 1)]);
}
