import type { ExposedSizes } from "../../graph/expose-sizes.ts";
import { type Guard, type GuardTerm, guardNode } from "../../graph/guard.ts";
import type { Graph, SymbolRange } from "../../graph/ir.ts";
import { settleGuards } from "../../graph/settle-guards.ts";
import { keyOf } from "../../graph/sym.ts";
import { asList, asMap, type JsonMap } from "../fields.ts";
import type { Fields } from "../pytree.ts";
import { exportedSizes } from "./exported-sizes.ts";
import { freezeSizes } from "./freeze-sizes.ts";
import { readGuards } from "./read-guards.ts";
import { readRanges } from "./read-ranges.ts";

/** Longer guards are cut in warnings. */
const MAX_SHOWN = 200;

/** What a program demands of the sizes of its inputs. */
export interface Conditions {
  readonly ranges: ReadonlyMap<string, SymbolRange>;
  readonly guards: readonly Guard[];
  readonly exportedSizes: ReadonlyMap<string, number>;
}

interface Context {
  /** The graph inputs that the caller feeds. */
  readonly inputs: readonly string[];
  readonly call: JsonMap | undefined;
  readonly namedTupleFields: Fields;
  readonly warnings: string[];
}

/**
 * What PyTorch's own loaded program checks before it runs, no more and no less. A guard that cannot be read is named in a warning, and
 * only the exported sizes are left then. Throws ModelFileError.
 */
export function readConditions(root: JsonMap, exposed: ExposedSizes, context: Context): Conditions {
  const { graph, replaced } = exposed;
  const { inputs, call, namedTupleFields, warnings } = context;
  const module = asMap(root.get("graph_module"), "graph_module");
  const { guards, unreadable } = readGuards({
    code: root.get("guards_code"),
    inputSpecs: asList(asMap(module.get("signature"), "signature").get("input_specs"), "input_specs"),
    call,
    namedTupleFields,
    graph,
    inputs,
    replaced,
  });
  const sizes = exportedSizes(module.get("graph"), graph, inputs);
  for (const text of unreadable) {
    const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
    warnings.push(
      `the guard "${shown}" cannot be read: only the sizes that the program was exported with are served`,
    );
  }
  const ranges = readRanges(root.get("range_constraints"), replaced);
  const frozen = unreadable.length === 0 ? [] : freezeSizes(graph, inputs, sizes);
  const all = [...guards, ...valueRanges(graph, inputs, ranges), ...frozen];
  return { ...settleGuards(all, ranges), exportedSizes: sizes };
}

/** Ranges of inputs that are numbers, which have no size to carry them. */
function valueRanges(
  { values }: Graph,
  inputs: readonly string[],
  ranges: ReadonlyMap<string, SymbolRange>,
): Guard[] {
  return inputs.flatMap((input) => {
    const type = values.get(input);
    const range = type === undefined || type.kind === "tensor" ? undefined : ranges.get(keyOf(type.expr));
    if (range === undefined) return [];
    const { min, max } = range;
    const value: GuardTerm = { op: "value", input };
    return [
      ...(min > 0 ? [{ condition: guardNode("ge", value, min) }] : []),
      ...(max === undefined ? [] : [{ condition: guardNode("le", value, max) }]),
    ];
  });
}
