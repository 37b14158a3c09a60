import type { Graph, Node, ValueType } from "../../graph/ir.ts";
import { type Dim, symbolsOf } from "../../graph/sym.ts";
import type { Result } from "../complex/complex-lowering.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Val } from "../core/tensor.ts";
import { statedCheck } from "./data-checks.ts";
import { countingOf, type DataSymbols } from "./data-symbols.ts";

interface Counted {
  readonly node: Node;
  readonly values: Graph["values"];
  readonly symbols: DataSymbols;
}

type Results = readonly (Result | undefined)[];

/**
 * The results of an op whose sizes, or whose number, the data decide, in a run that fails where they are not what the program states: once it has
 * demanded that a count is 4, or is the size of an input, it says 4 or that size instead.
 */
export function asStated(counted: Counted, g: Emitter, results: Results): Results {
  const { node, values } = counted;
  const first = results.findIndex((result) => result !== undefined);
  const result = results[first];
  const name = node.outputs[first];
  const type = name === undefined ? undefined : values.get(name);
  if (type === undefined || result === undefined) return results;
  const op = (node.origin ?? node.target).split(".").slice(0, 2).join(".");
  if (type.kind !== "tensor")
    return "name" in result ? withNumber(g, results, { val: result, type, op }) : results;
  const counting = countingOf(node, values);
  const stated = counting && type.dims[counting.axis];
  if (counting === undefined || stated === undefined || isFree(stated, g)) return results;
  if (isCountedAlike(stated, counting.counted, counted.symbols)) return results;
  const { axis } = counting;
  const measured = "name" in result ? result : result.re;
  const actual = g.reshape(g.op("Shape", [measured], { start: axis, end: axis + 1 }), []);
  const guard = statedCheck(g, `dimension ${axis} of what ${op} gives`, { actual, stated });
  g.guards.push(guard);
  return results.map((val) => {
    if (val === undefined) return undefined;
    return "name" in val ? g.held(val, guard) : { re: g.held(val.re, guard), im: g.held(val.im, guard) };
  });
}

function withNumber(
  g: Emitter,
  results: Results,
  {
    val,
    type,
    op,
  }: { readonly val: Val; readonly type: Exclude<ValueType, { kind: "tensor" }>; readonly op: string },
): Results {
  if (isFree(type.expr, g) || type.kind === "bool") return results;
  const actual = g.cast(val, type.kind === "float" ? "float64" : "int64");
  g.guards.push(statedCheck(g, `the number that ${op} reads`, { actual, stated: type.expr }));
  return results;
}

/** Whether a size introduces a symbol: then it is whatever the data say. */
function isFree(dim: Dim, g: Emitter): boolean {
  return symbolsOf(dim).size > 0 && !g.sizes.isKnown(dim);
}

function isCountedAlike(dim: Dim, counted: string, symbols: DataSymbols): boolean {
  if (typeof dim === "number" || dim.op !== "symbol") return false;
  return symbols.get(dim.key)?.counted === counted;
}
