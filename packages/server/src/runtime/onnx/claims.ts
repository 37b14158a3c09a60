import { type Dim, rowAxis, type Signature, type TensorSpec } from "../../base/signature.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedResult } from "../model-host.ts";
import { findMixedRows } from "./mixed-rows.ts";

/** One run of the warm-up. */
export interface TrialRun {
  readonly inputs: readonly Tensor[];
  readonly result: HostedResult;
}

/** A signature that was compared with what the model does, and what had to be changed. */
export interface SettledSignature {
  readonly signature: Signature;
  readonly warnings: readonly string[];
}

/**
 * Corrects what a signature claims of outputs by what the warm-up saw: how many dimensions they have, fixed sizes, and whether they are made
 * of rows, each of which is the same whatever else is in the run.
 */
export function settleClaims(signature: Signature, runs: readonly TrialRun[]): SettledSignature {
  const warnings: string[] = [];
  const outputs =
    signature.areSizesClaimed === true
      ? signature.outputs.map((spec, i) => settleOutput(spec, shapesOf(runs, i), warnings))
      : signature.outputs;
  const { batching } = signature;
  const fault = batching.kind === "on" ? rowFault(signature, batching.symbol, runs) : undefined;
  if (fault === undefined) return { signature: { ...signature, outputs }, warnings };
  const reason = `${fault}, so that requests cannot share a run`;
  warnings.push(`batching is off: ${reason}`);
  return { signature: { ...signature, outputs, batching: { kind: "off", reason } }, warnings };
}

function shapesOf(runs: readonly TrialRun[], output: number): readonly (readonly number[])[] {
  return runs.map(({ result }) => result.outputs[output]!.shape);
}

function settleOutput(
  spec: TensorSpec,
  shapes: readonly (readonly number[])[],
  warnings: string[],
): TensorSpec {
  const { name, dims } = spec;
  const [first] = shapes;
  if (first === undefined) return spec;
  if (shapes.some(({ length }) => length !== dims.length)) {
    warnings.push(
      `the output '${name}' has ${first.length} dimensions, and ${dims.length} in the file's signature`,
    );
    return { ...spec, dims: first.map((_, axis) => openDim(name, axis)) };
  }
  const settled = dims.map((dim, axis): Dim => {
    const other = shapes.find((shape) => typeof dim === "number" && shape[axis] !== dim);
    if (other === undefined) return dim;
    warnings.push(
      `dimension ${axis} of the output '${name}' is ${other[axis]}, and ${dim} in the file's signature`,
    );
    return openDim(name, axis);
  });
  return { ...spec, dims: settled };
}

function openDim(name: string, axis: number): Dim {
  return { symbol: `${name}.${axis}`, min: 0, max: undefined };
}

/** Why the outputs are not made of independent rows; undefined: nothing speaks against it. */
function rowFault(signature: Signature, symbol: string, runs: readonly TrialRun[]): string | undefined {
  const inputAxis = rowAxis(signature.inputs[0]!, symbol);
  const axes = signature.outputs.map((spec) => rowAxis(spec, symbol));
  for (const { inputs, result } of runs) {
    const rows = inputs[0]!.shape[inputAxis]!;
    const odd = result.outputs.findIndex(({ shape }, i) => shape[axes[i]!] !== rows);
    if (odd < 0) continue;
    const { shape } = result.outputs[odd]!;
    return `the output '${signature.outputs[odd]!.name}' is [${shape.join(", ")}] for ${rows} rows`;
  }
  const [alone, together] = runs;
  const mixed = alone && together && findMixedRows(alone, together, axes);
  return mixed === undefined
    ? undefined
    : `a row of the output '${signature.outputs[mixed]!.name}' depends on the other rows`;
}
