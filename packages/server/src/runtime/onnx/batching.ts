import type { Batching, SizeGuard, TensorSpec, VariableDim } from "../../base/signature.ts";

type Shaped = Pick<TensorSpec, "name" | "dims">;

/**
 * Whether requests may share a run: the first dimension of every input and output must be one symbol, and that symbol must size nothing
 * else. The reason says what stands against it and how to export the model again.
 */
export function decideBatching(
  inputs: readonly Shaped[],
  outputs: readonly Shaped[],
  format: "pytorch" | "onnx",
): Batching {
  if (inputs.length === 0) return { kind: "off", reason: "the model has no inputs" };
  const hint = reexportHint(inputs, format);
  const off = (why: string): Batching => ({ kind: "off", reason: `${why}; ${hint}` });
  let batch: VariableDim | undefined;
  for (const [kind, specs] of [
    ["input", inputs],
    ["output", outputs],
  ] as const) {
    for (const spec of specs) {
      const first = spec.dims[0];
      if (first === undefined) return off(`${kind} ${spec.name} is a scalar`);
      if (typeof first === "number")
        return off(`the first dimension of ${kind} ${spec.name} is fixed at ${first}`);
      batch ??= first;
      if (first.symbol !== batch.symbol) {
        return off(`the first dimension of ${kind} ${spec.name} is ${first.symbol}, not ${batch.symbol}`);
      }
      if (spec.dims.some((dim, axis) => axis > 0 && typeof dim !== "number" && dim.symbol === first.symbol)) {
        return off(
          `${first.symbol} also sizes another dimension of ${kind} ${spec.name}, so its rows depend on each other`,
        );
      }
    }
  }
  if (batch === undefined) return off("the model has no outputs");
  if ((batch.multipleOf ?? 1) > 1) return off(`${batch.symbol} must be a multiple of ${batch.multipleOf}`);
  return { kind: "on", symbol: batch.symbol, maxRows: batch.max };
}

/** Batching is off where a guard that holds for each request need not hold for their rows together. */
export function batchingUnderGuards(batching: Batching, guards: readonly SizeGuard[]): Batching {
  if (batching.kind === "off") return batching;
  const guard = guards.find(({ fixes }) => fixes.includes(batching.symbol));
  if (guard === undefined) return batching;
  const reason = `the program has a guard on ${batching.symbol} that joined requests may break: ${guard.text}`;
  return { kind: "off", reason };
}

/** Batching is off where rows of one run change each other's answers, for the reason given: nobody gets another answer for a stranger's row. */
export function batchingWithMixedRows(batching: Batching, why: string | undefined): Batching {
  if (batching.kind === "off" || why === undefined) return batching;
  return { kind: "off", reason: `${why}; inexact_batching: true in model.yaml batches all the same` };
}

function reexportHint(inputs: readonly Shaped[], format: "pytorch" | "onnx"): string {
  const entries = inputs.map(({ name }) => `"${name}": {0: batch}`).join(", ");
  const call =
    format === "onnx" ? "torch.onnx.export(model, args, dynamo=True," : "torch.export.export(model, args,";
  return `to batch, export again with batch = torch.export.Dim("batch"); ${call} dynamic_shapes={${entries}})`;
}
