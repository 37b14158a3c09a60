import { boundsOf, greatest, least } from "./bounds.ts";
import type { Arg, Node, TensorType } from "./ir.ts";
import { add, type Dim, mul, sym } from "./sym.ts";

/** One view op between a tensor and the memory it shows. */
export interface ViewStep {
  readonly node: Node;
  /** Which of the op's results this is (split, unbind). */
  readonly index: number;
  readonly from: TensorType;
  readonly to: TensorType;
}

/** The graph's integers. */
export interface Numbers {
  /** What an argument is; undefined for what is no integer. */
  of(arg: Arg | undefined): Dim | undefined;
  /** An argument of this value. */
  arg(value: Dim): Arg;
}

/** A functional op without its result name. */
export interface FunctionalOp {
  readonly target: string;
  readonly args: ReadonlyMap<string, Arg>;
}

const RESHAPES = new Set([
  "view",
  "reshape",
  "flatten",
  "unflatten",
  "squeeze",
  "unsqueeze",
  "view_as",
  "reshape_as",
  "ravel",
]);
const SAME = new Set([
  "alias",
  "detach",
  "contiguous",
  "to",
  "type_as",
  "positive",
  "dropout",
  "feature_dropout",
]);
const SELF_INVERSE = new Set(["t", "transpose", "swapaxes", "swapdims", "numpy_T", "mT"]);

/**
 * The op that puts a new value of a view back into what it was taken from: `part` is the view's new value, `whole` the value that the
 * view op was applied to. Undefined when the view cannot be written through (expand, unfold).
 */
export function replayView(
  step: ViewStep,
  { whole, part, numbers }: { whole: string; part: string; numbers: Numbers },
): FunctionalOp | undefined {
  const op = step.node.target.split(".")[1]!;
  const self: Arg = { kind: "value", name: part };
  if (SAME.has(op)) return { target: "aten.alias.default", args: new Map([["self", self]]) };
  if (RESHAPES.has(op) && step.node.target !== "aten.view.dtype") {
    return {
      target: "aten.view.default",
      args: new Map([
        ["self", self],
        ["size", sizes(step.from.dims)],
      ]),
    };
  }
  if (SELF_INVERSE.has(op))
    return { target: step.node.target, args: new Map([...step.node.args, ["self", self]]) };
  if (op === "permute") return permuteBack(step, self);
  if (op === "movedim" || op === "moveaxis") return moveBack(step, self);
  return scatter(step, op, { whole: { kind: "value", name: whole }, src: self, numbers });
}

/** For humans and tests only: the lowering of view takes its result's size from its type. */
function sizes(dims: readonly Dim[]): Arg {
  return {
    kind: "list",
    items: dims.map((dim) => ({ kind: "int", value: typeof dim === "number" ? dim : -1 })),
  };
}

function permuteBack({ node, to }: ViewStep, self: Arg): FunctionalOp | undefined {
  const dims = node.args.get("dims");
  if (dims?.kind !== "list") return undefined;
  const inverse: number[] = [];
  for (const [i, item] of dims.items.entries()) {
    if (item.kind !== "int") return undefined;
    const axis = Number(item.value);
    inverse[axis < 0 ? axis + to.dims.length : axis] = i;
  }
  const items = inverse.map((value): Arg => ({ kind: "int", value }));
  return {
    target: "aten.permute.default",
    args: new Map<string, Arg>([
      ["self", self],
      ["dims", { kind: "list", items }],
    ]),
  };
}

function moveBack({ node }: ViewStep, self: Arg): FunctionalOp | undefined {
  const source = node.args.get("source");
  const destination = node.args.get("destination");
  if (source === undefined || destination === undefined) return undefined;
  return {
    target: node.target,
    args: new Map([
      ["self", self],
      ["source", destination],
      ["destination", source],
    ]),
  };
}

interface Scatter {
  readonly whole: Arg;
  readonly src: Arg;
  readonly numbers: Numbers;
}

function scatter(step: ViewStep, op: string, { whole, src, numbers }: Scatter): FunctionalOp | undefined {
  const { node, index } = step;
  const copied = (names: readonly string[]): [string, Arg][] =>
    names.flatMap((name) => (node.args.has(name) ? [[name, node.args.get(name)!] as [string, Arg]] : []));
  const base: [string, Arg][] = [
    ["self", whole],
    ["src", src],
  ];
  switch (op) {
    case "select":
      return { target: "aten.select_scatter.default", args: new Map([...base, ...copied(["dim", "index"])]) };
    case "slice":
      return {
        target: "aten.slice_scatter.default",
        args: new Map([...base, ...copied(["dim", "start", "end", "step"])]),
      };
    case "diagonal":
      return {
        target: "aten.diagonal_scatter.default",
        args: new Map([...base, ...copied(["offset", "dim1", "dim2"])]),
      };
    case "as_strided":
      return {
        target: "aten.as_strided_scatter.default",
        args: new Map([...base, ...copied(["size", "stride", "storage_offset"])]),
      };
    case "unbind": {
      const at: [string, Arg] = ["index", { kind: "int", value: index }];
      return { target: "aten.select_scatter.default", args: new Map([...base, ...copied(["dim"]), at]) };
    }
    case "narrow":
    case "split":
    case "split_with_sizes":
    case "chunk":
    case "tensor_split":
      return scatterPiece(step, base, numbers);
  }
  return undefined;
}

/** Pieces of a split lie one after another. */
function scatterPiece(
  { node, index, from, to }: ViewStep,
  base: [string, Arg][],
  numbers: Numbers,
): FunctionalOp | undefined {
  const dim = axisOf(numbers.of(node.args.get("dim")), from.dims.length);
  if (dim === undefined) return undefined;
  const start = pieceStart(node, index, { total: from.dims[dim]!, numbers });
  if (start === undefined) return undefined;
  const range: [string, Arg][] = [
    ["dim", numbers.arg(dim)],
    ["start", numbers.arg(start)],
    ["end", numbers.arg(add(start, to.dims[dim]!))],
    ["step", numbers.arg(1)],
  ];
  return { target: "aten.slice_scatter.default", args: new Map([...base, ...range]) };
}

function axisOf(dim: Dim | undefined, rank: number): number | undefined {
  if (typeof dim !== "number") return undefined;
  return dim < 0 ? dim + rank : dim;
}

interface Whole {
  readonly total: Dim;
  readonly numbers: Numbers;
}

/** Where a piece begins; undefined where that is not known to be a place. */
function pieceStart(node: Node, index: number, { total, numbers }: Whole): Dim | undefined {
  const number = (name: string): Dim | undefined => numbers.of(node.args.get(name));
  switch (node.target.split(".")[1]!) {
    case "narrow":
      return placeIn(number("start"), total);
    case "chunk": {
      const chunks = number("chunks");
      return typeof chunks === "number" && chunks > 0 ? mul(index, ceilDivide(total, chunks)) : undefined;
    }
    case "tensor_split":
      return partStart(node, index, { total, numbers });
    default: {
      const each = number("split_size") ?? number("split_sizes");
      if (each !== undefined) return mul(index, each);
      const sizes = listOf(node.args.get("split_sizes") ?? node.args.get("split_size"), numbers);
      return sizes?.slice(0, index).reduce(add, 0);
    }
  }
}

/** Where a piece of `tensor_split` begins: the first ones of equal parts are larger by one, and places are as in Python's slices. */
function partStart(node: Node, index: number, { total, numbers }: Whole): Dim | undefined {
  const sections = numbers.of(node.args.get("sections"));
  if (sections !== undefined) {
    if (typeof sections !== "number" || sections < 1) return undefined;
    const larger = least(index, sym("mod", total, sections));
    return add(mul(index, sym("floordiv", total, sections)), larger);
  }
  if (index === 0) return 0;
  const place = listOf(node.args.get("indices"), numbers)?.[index - 1];
  const from = placeIn(place, total);
  return from === undefined ? undefined : least(greatest(from, 0), total);
}

/** A place that may count from the end; undefined where its sign is not known. */
function placeIn(place: Dim | undefined, total: Dim): Dim | undefined {
  if (place === undefined) return undefined;
  const { min, max } = boundsOf(place);
  if (max < 0) return add(total, place);
  return min >= 0 ? place : undefined;
}

function ceilDivide(total: Dim, by: number): Dim {
  return sym("floordiv", add(total, by - 1), by);
}

function listOf(arg: Arg | undefined, numbers: Numbers): Dim[] | undefined {
  const items = arg?.kind === "list" ? arg.items.map((item) => numbers.of(item)) : [undefined];
  return items.every((item) => item !== undefined) ? items : undefined;
}
