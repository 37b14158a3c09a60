import type { Graph, Node, ValueType } from "../../graph/ir.ts";
import { type Dim, product, sameDims, symbolsOf } from "../../graph/sym.ts";

/** What is known of a number that the data of a run decide. */
export interface DataSymbol {
  /** What it is, in words: "dimension 0 of what aten.index gives". */
  readonly words: string;
  /** A size is at least 0. */
  readonly isSize: boolean;
  /** What it cannot be more than, where its op says so. */
  readonly most: Dim | undefined;
  /** What is counted, by the names of values: the same is counted alike. */
  readonly counted: string | undefined;
}

export type DataSymbols = ReadonlyMap<string, DataSymbol>;

interface Counting {
  readonly target: string;
  /** The values that are counted. */
  readonly counted: string;
  /** Of the results, the dimension that says how many there are. */
  readonly axis: number;
}

const COUNTED: Readonly<Record<string, string>> = {
  nonzero: "self",
  argwhere: "self",
  nonzero_numpy: "self",
  where: "condition",
  _unique2: "self",
  unique_consecutive: "self",
  masked_select: "mask",
  repeat_interleave: "repeats",
  bincount: "self",
};

/** What an op counts that finds as much as the data hold; undefined for others. */
export function countingOf(node: Node, values: Graph["values"]): Counting | undefined {
  const { target, args } = node;
  const [, op = "", overload = ""] = target.split(".");
  if (op === "index") {
    const list = args.get("indices");
    const items = list?.kind === "list" ? list.items : [];
    const given = items.flatMap((item, axis) => (item.kind === "value" ? [{ name: item.name, axis }] : []));
    const type = given.length === 1 ? values.get(given[0]!.name) : undefined;
    if (type?.kind !== "tensor" || type.dtype !== "bool") return undefined;
    return { target, counted: given[0]!.name, axis: given[0]!.axis };
  }
  const name = COUNTED[op];
  if (name === undefined || (op === "where" && overload !== "default")) return undefined;
  if (op === "repeat_interleave" && overload !== "Tensor") return undefined;
  const arg = args.get(name);
  return arg?.kind === "value" ? { target, counted: arg.name, axis: 0 } : undefined;
}

/** The numbers of a graph that its data decide, by the symbols that stand for them. */
export function dataSymbols({ inputs, nodes, values }: Graph): DataSymbols {
  const given = new Set(inputs.flatMap((input) => symbolsOfType(values.get(input))));
  const found = new Map<string, DataSymbol>();
  for (const node of nodes) {
    const op = (node.origin ?? node.target).split(".").slice(0, 2).join(".");
    for (const name of node.outputs) {
      const type = name === undefined ? undefined : values.get(name);
      if (type === undefined) continue;
      if (type.kind !== "tensor") {
        for (const symbol of symbolsOfType(type))
          if (!given.has(symbol) && !found.has(symbol))
            found.set(symbol, {
              words: `the number that ${op} reads`,
              isSize: false,
              most: undefined,
              counted: undefined,
            });
        continue;
      }
      for (const [axis, dim] of type.dims.entries()) {
        if (typeof dim === "number" || dim.op !== "symbol" || given.has(dim.key) || found.has(dim.key))
          continue;
        const words = `dimension ${axis} of what ${op} gives`;
        found.set(dim.key, {
          words,
          isSize: true,
          most: mostOf(node, values),
          counted: countingOf(node, values)?.counted,
        });
      }
    }
  }
  return found;
}

function symbolsOfType(type: ValueType | undefined): string[] {
  const dims = type === undefined ? [] : type.kind === "tensor" ? type.dims : [type.expr];
  return dims.flatMap((dim) => [...symbolsOf(dim)]);
}

/** How much an op can find: as much as there is where it looks. */
function mostOf(node: Node, values: Graph["values"]): Dim | undefined {
  const op = node.target.split(".")[1]!;
  const counting = op === "bincount" || op === "repeat_interleave" ? undefined : countingOf(node, values);
  const type = counting && values.get(counting.counted);
  if (type?.kind !== "tensor") return undefined;
  const self = node.args.get("self");
  const whole = self?.kind === "value" ? values.get(self.name) : undefined;
  const isStretched =
    op === "masked_select" && !(whole?.kind === "tensor" && sameDims(whole.dims, type.dims));
  return isStretched ? undefined : product(type.dims);
}
