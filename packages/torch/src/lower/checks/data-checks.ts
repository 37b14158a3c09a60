import { boundsOf } from "../../graph/bounds.ts";
import { type Guard, type GuardTerm, guardOfDim, isGuardNode } from "../../graph/guard.ts";
import { type GuardLabels, guardRequirement, guardText } from "../../graph/guard-text.ts";
import type { SymbolRange } from "../../graph/ir.ts";
import { type Dim, type SymNode, sameDim, sym, symbolsOf } from "../../graph/sym.ts";
import { checkLabel, TELLS_NUMBER } from "../../onnx/input-fault.ts";
import type { Emitter } from "../core/emitter.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";
import type { DataSymbols } from "./data-symbols.ts";

/** A 0-d int64 0, in a run that fails where a check does, and the symbols that are not to be relied on before. */
export interface DataCheck {
  readonly guard: Val;
  readonly symbols: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * aten::_assert_scalar(Scalar self, str assert_msg) -> ()
 * aten::_assert_async(Tensor self) -> ()
 * aten::_assert_async.msg(Tensor self, str assert_msg) -> ()
 * aten::sym_constrain_range(Scalar size, *, int? min=None, int? max=None) -> ()
 * aten::sym_constrain_range_for_size(Scalar size, *, int? min=None, int? max=None) -> ()
 *
 * What a program demands of the data of a run, without what holds in all.
 */
export function dataChecks(node: OpNode, g: Emitter, symbols: DataSymbols): DataCheck[] {
  if (node.target.startsWith("aten._assert_async")) {
    const said = node.has("assert_msg") ? node.string("assert_msg") : "";
    const isFault = g.op("Not", [g.cast(g.reshape(node.tensor("self"), []), "bool")]);
    const words =
      said === "" ? "a check in the program does not hold" : `a check in the program failed: ${said}`;
    return [{ guard: lookup(g, words, g.cast(isFault, "int64")), symbols: NONE }];
  }
  return (
    conditionsOf(node)
      // What the sizes of inputs decide is a guard's.
      .filter((condition) => [...symbolsOf(condition)].some((name) => symbols.has(name)))
      .filter((condition) => !holdsAlways(condition, g, symbols))
      .filter((condition) => g.sizes.isKnown(condition))
      .map((condition) => scalarCheck({ condition, ...reasonOf(node) }, g, symbols))
  );
}

/** Why a check is there that a pass put there. */
function reasonOf(node: OpNode): Pick<Guard, "because"> {
  return node.isPut && node.has("assert_msg") ? { because: node.string("assert_msg") } : {};
}

interface Demanded extends Pick<Guard, "because"> {
  readonly condition: Dim;
}

function conditionsOf(node: OpNode): Dim[] {
  if (node.target === "aten._assert_scalar.default") return conjuncts(node.scalar("self").value);
  const size = node.scalar("size").value;
  const [min, max] = ["min", "max"].map((name) => node.optionalInt(name));
  const least = min ?? (node.target.includes("for_size") ? 0 : undefined);
  return [
    ...(least === undefined ? [] : [sym("ge", size, least)]),
    ...(max === undefined ? [] : [sym("le", size, max)]),
  ];
}

function conjuncts(condition: Dim): Dim[] {
  if (typeof condition === "number" || condition.op !== "and") return [condition];
  return (condition as SymNode).args.flatMap(conjuncts);
}

/** Whether what is known of sizes, without what the program claims, decides a condition. */
function holdsAlways(condition: Dim, g: Emitter, symbols: DataSymbols): boolean {
  if (typeof condition === "number") return condition !== 0;
  const { op, args } = condition as SymNode;
  const [a, b] = args;
  if (a === undefined || b === undefined) return false;
  const facts = factsOf(condition, g, symbols);
  const [left, right] = [boundsOf(a, facts), boundsOf(b, facts)];
  if (op === "ge") return left.min >= right.max;
  if (op === "gt") return left.min > right.max;
  if (op === "lt") return left.max < right.min;
  if (op !== "le") return false;
  const most = typeof a === "number" || a.op !== "symbol" ? undefined : symbols.get(a.key)?.most;
  return left.max <= right.min || (most !== undefined && sameDim(most, b));
}

function factsOf(condition: Dim, g: Emitter, symbols: DataSymbols): Map<string, SymbolRange> {
  const facts = new Map<string, SymbolRange>();
  for (const name of symbolsOf(condition)) {
    const known = symbols.get(name);
    const range = g.ranges.get(name);
    // Sizes of inputs are checked before a run; of data, the program's own claim is what is to be checked.
    if (known === undefined && range !== undefined) facts.set(name, range);
    if (known?.isSize !== true) continue;
    const max = known.most === undefined ? undefined : boundsOf(known.most, g.ranges).max;
    facts.set(name, { min: 0, max: max === Number.POSITIVE_INFINITY ? undefined : max });
  }
  return facts;
}

function scalarCheck(demanded: Demanded, g: Emitter, symbols: DataSymbols): DataCheck {
  const { condition } = demanded;
  const names = symbolsOf(condition);
  const [only] = names.size === 1 ? [...names] : [];
  const isFault = g.op("Not", [g.cast(g.number(condition, "bool"), "bool")]);
  const number = only === undefined ? undefined : numberOf(condition, only, g);
  const words = wordsOf(demanded, symbols);
  if (number === undefined) return { guard: lookup(g, words, g.cast(isFault, "int64")), symbols: names };
  return { guard: lookup(g, `${words}${TELLS_NUMBER}`, placeOf(g, isFault, number)), symbols: names };
}

/** 0 where there is no fault, and otherwise the place that tells the number. */
function placeOf(g: Emitter, isFault: Val, number: Val): Val {
  const isBelow = g.op("Less", [number, g.scalar("int64", 0)]);
  const place = g.op("Add", [number, g.where(isBelow, g.scalar("int64", -2), g.scalar("int64", 1))]);
  return g.where(isFault, place, g.scalar("int64", 0));
}

function nameOf(term: GuardTerm): string {
  return typeof term === "object" && term.op === "size" ? term.dim.key : String(term);
}

/** The symbol's value as a 0-d int64; undefined where it is not an integer. */
function numberOf(condition: Dim, name: string, g: Emitter): Val | undefined {
  const symbol = findSymbol(condition, name);
  const val = symbol === undefined ? undefined : g.sizes.emit(symbol);
  return val?.dtype === "int64" ? g.reshape(val, []) : undefined;
}

function findSymbol(dim: Dim, name: string): Dim | undefined {
  if (typeof dim === "number") return undefined;
  if (dim.op === "symbol") return dim.key === name ? dim : undefined;
  return (dim as SymNode).args.map((arg) => findSymbol(arg, name)).find((found) => found !== undefined);
}

/** Looks the place up in a list of one: what holds is at 0. */
function lookup(g: Emitter, words: string, place: Val): Val {
  return g.labelled(checkLabel(words), () => g.op("Gather", [g.ints([0]), place]));
}

function wordsOf({ condition, because }: Demanded, symbols: DataSymbols): string {
  const labels: GuardLabels = {
    code: nameOf,
    words: (term) => symbols.get(nameOf(term))?.words ?? nameOf(term),
  };
  const term = guardOfDim(condition, (symbol) => ({ op: "size", dim: symbol }));
  if (term === undefined) return "the program was exported for other data";
  const isSimple = isGuardNode(term) && term.args.every((arg) => !isGuardNode(arg));
  if (isSimple)
    return guardRequirement({ condition: term, ...(because !== undefined && { because }) }, labels);
  const names = [...symbolsOf(condition)];
  const legend = names.map((name) => `${name} is ${symbols.get(name)?.words ?? "a size of the inputs"}`);
  const asked = `${guardText(term, labels)} (${legend.join(", ")})`;
  return because === undefined
    ? `the program was exported for data where ${asked}`
    : `the program was exported for other data, since ${because}: for data where ${asked}`;
}

/** A 0-d int64 0, in a run that fails where a number that the data decide is not the one that the program states. */
export function statedCheck(
  g: Emitter,
  words: string,
  { actual, stated }: { actual: Val; stated: Dim },
): Val {
  const isFault = g.op("Not", [g.op("Equal", [actual, g.number(stated, actual.dtype)])]);
  const shown = typeof stated === "number" ? String(stated) : `${guardTextOf(stated)} as in the inputs`;
  const said = `${words} must be ${shown}`;
  if (actual.dtype !== "int64") return lookup(g, said, g.cast(isFault, "int64"));
  return lookup(g, `${said}${TELLS_NUMBER}`, placeOf(g, isFault, actual));
}

function guardTextOf(dim: Dim): string {
  const term = guardOfDim(dim, (symbol) => ({ op: "size", dim: symbol }));
  return term === undefined ? "another number" : guardText(term, { code: nameOf, words: nameOf });
}
