import { type Guard, type GuardTerm, isGuardNode } from "../graph/guard.ts";
import { sizesThatMayNotGrow } from "../graph/guard-growth.ts";
import { type GuardLabels, guardRequirement, guardText } from "../graph/guard-text.ts";
import type { Program } from "../graph/ir.ts";
import type { GuardCondition, SizeGuard } from "../graph/port.ts";
import { type SymExpr, symbolsOf } from "../graph/sym.ts";
import type { PortNames } from "./port-names.ts";

/** The guards of a program in the words of its ports. */
export function describeGuards(program: Program, names: PortNames): SizeGuard[] {
  const labels = inputLabels(program);
  return (program.guards ?? []).map((guard) => ({
    text: guardText(guard.condition, labels),
    requirement: guardRequirement(guard, labels),
    condition: portCondition(guard.condition, { program, names }),
    fixes: fixedSymbols(guard, program, names),
  }));
}

interface Names {
  readonly program: Program;
  readonly names: PortNames;
}

function portCondition(term: GuardTerm, context: Names): GuardCondition {
  if (typeof term === "number") return term;
  if (isGuardNode(term)) {
    return { op: term.op, args: term.args.map((arg) => portCondition(arg, context)) };
  }
  if (term.op === "size") return { op: "size", symbol: symbolOf(term.dim, context.names) };
  const input = context.program.inputs.find(({ value }) => value === term.input);
  return { op: "value", input: input?.name ?? term.input };
}

function symbolOf(dim: SymExpr, names: PortNames): string {
  const named = names.dim(dim);
  return typeof named === "number" ? String(named) : named.symbol;
}

function fixedSymbols({ condition }: Guard, program: Program, names: PortNames): string[] {
  const bound = sizesThatMayNotGrow(condition);
  const symbols = new Set<string>();
  for (const dim of inputDims(program)) {
    const isBound = bound.has(dim.key) || [...symbolsOf(dim)].some((name) => bound.has(name));
    if (isBound) symbols.add(symbolOf(dim, names));
  }
  return [...symbols];
}

function inputDims({ graph, inputs }: Program): SymExpr[] {
  return inputs.flatMap(({ value }) => {
    const type = graph.values.get(value);
    const dims = type?.kind === "tensor" ? type.dims : [];
    return dims.filter((dim) => typeof dim !== "number");
  });
}

/** A size is called after the first input that has it. */
function inputLabels({ graph, inputs }: Program): GuardLabels {
  const places = new Map<string, { readonly input: string; readonly axis: number }>();
  const values = new Map(inputs.map(({ name, value }) => [value, name]));
  for (const { name, value } of inputs) {
    const type = graph.values.get(value);
    if (type?.kind !== "tensor") continue;
    for (const [axis, dim] of type.dims.entries()) {
      if (typeof dim !== "number" && !places.has(dim.key)) places.set(dim.key, { input: name, axis });
    }
  }
  const label = (term: GuardTerm, size: (input: string, axis: number) => string, value: string): string => {
    if (typeof term !== "object" || isGuardNode(term)) return String(term);
    if (term.op === "value") return value.replace("%", values.get(term.input) ?? term.input);
    const place = places.get(term.dim.key);
    return place === undefined ? term.dim.key : size(place.input, place.axis);
  };
  return {
    code: (term) => label(term, (input, axis) => `${input}.shape[${axis}]`, "%"),
    words: (term) => label(term, (input, axis) => `dimension ${axis} of input "${input}"`, 'input "%"'),
  };
}
