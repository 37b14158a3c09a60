import type { Arg, Node, TensorType } from "./ir.ts";
import { type Dim, isStatic } from "./sym.ts";

/** One view op between a tensor and the memory it shows. */
export interface ViewStep {
  readonly node: Node;
  /** Which of the op's results this is (split, unbind). */
  readonly index: number;
  readonly from: TensorType;
  readonly to: TensorType;
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
export function replayView(step: ViewStep, whole: string, part: string): FunctionalOp | undefined {
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
  return scatter(step, op, { whole: { kind: "value", name: whole }, src: self });
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
}

function scatter(step: ViewStep, op: string, { whole, src }: Scatter): FunctionalOp | undefined {
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
      return scatterPiece(step, base);
  }
  return undefined;
}

/** Pieces of a split lie one after another; their offsets must be constant. */
function scatterPiece({ node, index, from, to }: ViewStep, base: [string, Arg][]): FunctionalOp | undefined {
  const dimArg = node.args.get("dim");
  if (dimArg?.kind !== "int") return undefined;
  const dim = Number(dimArg.value) < 0 ? Number(dimArg.value) + from.dims.length : Number(dimArg.value);
  const size = to.dims[dim];
  const start =
    node.target === "aten.narrow.default" ? constantStart(node) : pieceOffset(node, index, { dim, from });
  const int = (value: number): Arg => ({ kind: "int", value });
  const end =
    typeof size === "number" && start !== undefined ? int(start + size) : lengthFromFirst(node, start);
  if (start === undefined || end === undefined) return undefined;
  const range: [string, Arg][] = [
    ["dim", int(dim)],
    ["start", int(start)],
    ["end", end],
    ["step", int(1)],
  ];
  return { target: "aten.slice_scatter.default", args: new Map([...base, ...range]) };
}

/** Where a piece ends that begins with the first element and is as long as the caller's sizes say. */
function lengthFromFirst(node: Node, start: number | undefined): Arg | undefined {
  return start === 0 && node.target === "aten.narrow.default" ? node.args.get("length") : undefined;
}

function constantStart(node: Node): number | undefined {
  const start = node.args.get("start");
  return start?.kind === "int" && Number(start.value) >= 0 ? Number(start.value) : undefined;
}

function pieceOffset(
  node: Node,
  index: number,
  { dim, from }: { dim: number; from: TensorType },
): number | undefined {
  const total = from.dims[dim]!;
  if (!isStatic([total])) return undefined;
  const ints = (name: string): number[] | undefined => {
    const arg = node.args.get(name);
    const items = arg?.kind === "list" ? arg.items : arg === undefined ? [] : [arg];
    return items.every((item) => item.kind === "int") && items.length > 0
      ? items.map((item) => Number(item.value))
      : undefined;
  };
  const op = node.target.split(".")[1]!;
  if (op === "chunk") {
    const [chunks] = ints("chunks") ?? [];
    return chunks === undefined ? undefined : index * Math.ceil((total as number) / chunks);
  }
  if (op === "tensor_split") return partOffset(index, total as number, ints);
  const lengths = ints("split_sizes") ?? ints("split_size");
  if (lengths === undefined) return undefined;
  if (node.args.get("split_size")?.kind === "int") return index * lengths[0]!;
  return lengths.slice(0, index).reduce((a, b) => a + b, 0);
}

/** Where a piece of `tensor_split` begins: the first ones of equal parts are larger by one, and places are as in Python's slices. */
function partOffset(
  index: number,
  total: number,
  ints: (name: string) => number[] | undefined,
): number | undefined {
  const [sections] = ints("sections") ?? [];
  if (sections !== undefined) return index * Math.floor(total / sections) + Math.min(index, total % sections);
  if (index === 0) return 0;
  const place = ints("indices")?.[index - 1];
  if (place === undefined) return undefined;
  return Math.min(Math.max(place < 0 ? place + total : place, 0), total);
}
