import type { DType } from "../../dtype.ts";
import { SHORTCUT } from "../../onnx/data-decision.ts";
import type { OnnxGraph } from "../../onnx/model.ts";
import type { Emitter } from "./emitter.ts";
import type { Val } from "./tensor.ts";

interface Branches {
  /** Of the results, which both ways have in the same order. */
  readonly dtypes: readonly DType[];
  readonly yes: (at: Emitter) => readonly Val[];
  readonly no: (at: Emitter) => readonly Val[];
  /** Both ways give the same for a row, so that it does not matter which rows decide. */
  readonly isShortcut?: boolean;
}

/** Results that are calculated one way or the other, as a bool scalar says in each run. */
export function either(g: Emitter, condition: Val, { dtypes, yes, no, isShortcut = false }: Branches): Val[] {
  const attributes = {
    then_branch: { graph: branch(g, yes) },
    else_branch: { graph: branch(g, no) },
  };
  const name = isShortcut ? `${SHORTCUT} ${g.target}` : undefined;
  return g.subgraphOp("If", [condition], { attributes, dtypes, name });
}

function branch(g: Emitter, emit: (inner: Emitter) => readonly Val[]): OnnxGraph {
  const inner = g.child();
  // A result of a subgraph has to be a value of that subgraph.
  const results = emit(inner).map((val) => inner.op("Identity", [val]));
  const outputs = results.map(({ name, dtype }) => ({ name, dtype, dims: undefined }));
  return inner.builder.finish(`${g.scope}/branch`, [], outputs, false);
}
