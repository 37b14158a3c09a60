import { inputSizes } from "../../graph/expose-sizes.ts";
import { type Guard, type GuardTerm, guardNode, guardOfDim, guardSize } from "../../graph/guard.ts";
import type { Arg, Graph } from "../../graph/ir.ts";
import type { Dim } from "../../graph/sym.ts";
import { asList, asMap, asString, type JsonMap, union } from "../fields.ts";
import { readArg } from "../graph-reader.ts";
import type { Json } from "../json.ts";
import type { Fields } from "../pytree.ts";
import { type InputLeaf, inputNames } from "./input-leaves.ts";
import { inputPaths } from "./input-paths.ts";
import { type GuardNames, parseGuard } from "./parse-guard.ts";

/** Where guards come from. */
export interface GuardSource {
  /** The `guards_code` of the program; releases before torch 2.9 have none. */
  readonly code: Json | undefined;
  readonly inputSpecs: readonly Json[];
  /** The signature of the outermost call, if the file has it. */
  readonly call: JsonMap | undefined;
  readonly namedTupleFields: Fields;
  readonly graph: Graph;
  /** The graph inputs that the caller feeds. */
  readonly inputs: readonly string[];
  /** Symbols that were given another meaning, as `exposeSizes` tells it. */
  readonly replaced: ReadonlyMap<string, Dim>;
}

export interface FoundGuards {
  readonly guards: readonly Guard[];
  /** Guards that are not understood, as the file has them. */
  readonly unreadable: readonly string[];
}

/**
 * Every condition on sizes that PyTorch checks before it runs the program, or that the translation needs: `guards_code`, asserts about
 * sizes among the nodes, how sizes depend on each other, and sizes that must not be one. Throws ModelFileError.
 */
export function readGuards(source: GuardSource): FoundGuards {
  const { graph, inputSpecs, call, namedTupleFields } = source;
  const paths = call === undefined ? [] : inputPaths(call, namedTupleFields);
  const names = inputNames(graph, inputLeaves(inputSpecs), paths);
  const unreadable: string[] = [];
  const guards: Guard[] = [];
  const code = source.code === undefined || source.code === null ? [] : asList(source.code, "guards_code");
  for (const json of code) {
    const text = asString(json, "a guard");
    const condition = parseGuard(text, names);
    if (condition === undefined) unreadable.push(text);
    else guards.push({ condition });
  }
  guards.push(
    ...assertedSizes(graph, names),
    ...dependentSizes(source, names),
    ...squeezedSizes(graph, names),
    ...viewedSizes(graph, names),
  );
  return { guards, unreadable };
}

/** The flattened arguments of a call, in order. */
function inputLeaves(specs: readonly Json[]): InputLeaf[] {
  return specs.flatMap((json) => {
    const [kind, value] = union(json, "an input's description");
    if (kind === "constant_input") return [undefined];
    if (kind !== "user_input") return [];
    const arg = readArg(asMap(value, kind).get("arg"));
    return [arg.kind === "value" ? arg.name : undefined];
  });
}

/** Checks that torch.export left among the nodes (`prefer_deferred_runtime_asserts_over_guards`), where they are about inputs' sizes. */
function assertedSizes({ nodes, values }: Graph, names: GuardNames): Guard[] {
  return nodes.flatMap(({ target, args }) => {
    const self = target === "aten._assert_scalar.default" ? args.get("self") : undefined;
    const type = self?.kind === "value" ? values.get(self.name) : undefined;
    if (type === undefined || type.kind === "tensor") return [];
    const condition = guardOfDim(type.expr, ({ name }) => names.symbol(name));
    return condition === undefined ? [] : [{ condition }];
  });
}

/** Sizes that are expressions over others. Since torch 2.9 the file has guards about most of them. */
function dependentSizes({ graph, inputs, code, replaced }: GuardSource, names: GuardNames): Guard[] {
  const guards: Guard[] = [];
  for (const dim of inputs.flatMap((name) => inputSizes(graph.values.get(name)))) {
    if (typeof dim === "number" || dim.op === "symbol") continue;
    const expression = guardOfDim(dim, ({ name }) => names.symbol(name), "exact");
    if (expression !== undefined) guards.push({ condition: guardNode("eq", guardSize(dim), expression) });
  }
  if (code !== undefined) return guards;
  for (const dim of replaced.values()) {
    const whole = guardOfDim(dim, ({ name }) => names.symbol(name), "exact");
    if (whole !== undefined) guards.push({ condition: guardNode("eq", whole, guardNode("floor", whole)) });
  }
  return guards;
}

const VIEWED = /^aten\.(view|view_copy|reshape|_unsafe_view)\.default$/;

/** Beside a size that is left open (-1) PyTorch takes no 0. */
function viewedSizes({ nodes, values }: Graph, names: GuardNames): Guard[] {
  return nodes.flatMap(({ target, args }) => {
    const list = VIEWED.test(target) ? (args.get("size") ?? args.get("shape")) : undefined;
    const sizes = list?.kind === "list" ? list.items : [];
    if (!sizes.some((size) => size.kind === "int" && Number(size.value) === -1)) return [];
    return sizes.flatMap((size): Guard[] => {
      const type = size.kind === "value" ? values.get(size.name) : undefined;
      if (type === undefined || type.kind === "tensor" || typeof type.expr === "number") return [];
      const given = guardOfDim(type.expr, ({ name }) => names.symbol(name));
      return given === undefined ? [] : [{ condition: guardNode("ge", given, 1) }];
    });
  });
}

const SQUEEZED = /^aten\.squeeze_?\.(default|dims?)$/;

/** PyTorch drops a dimension that turns out to be one, where the translation, like the export, says that it stays. */
function squeezedSizes({ nodes, values }: Graph, names: GuardNames): Guard[] {
  return nodes.flatMap(({ target, args }) => {
    const self = SQUEEZED.test(target) ? args.get("self") : undefined;
    const type = self?.kind === "value" ? values.get(self.name) : undefined;
    if (type?.kind !== "tensor") return [];
    return squeezed(type.dims, args.get("dim")).flatMap((dim) => {
      const size: GuardTerm | undefined =
        typeof dim === "number" ? undefined : guardOfDim(dim, ({ name }) => names.symbol(name));
      const because = "the program drops that dimension where it is 1";
      return size === undefined ? [] : [{ condition: guardNode("ne", size, 1), because }];
    });
  });
}

function squeezed(dims: readonly Dim[], axes: Arg | undefined): readonly Dim[] {
  if (axes === undefined || axes.kind === "none") return dims;
  const items = axes.kind === "list" ? axes.items : [axes];
  return items.flatMap((axis) => {
    const at = axis.kind === "int" ? Number(axis.value) : Number.NaN;
    return dims[at < 0 ? at + dims.length : at] ?? [];
  });
}
