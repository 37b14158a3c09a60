import type { Batching, SizeGuard, TensorSpec, VariableDim } from "../../base/signature.ts";

interface Shaped extends Pick<TensorSpec, "name" | "dims"> {
  readonly aliases?: readonly string[] | undefined;
}

interface Ports {
  readonly inputs: readonly Shaped[];
  readonly outputs: readonly Shaped[];
  /** Names of those that the server keeps between requests: their rows may lie along any one dimension. */
  readonly state?: ReadonlySet<string>;
}

const NO_STATE: ReadonlySet<string> = new Set();

/**
 * Whether requests may share a run: the first dimension of every input and output must be one symbol (of a state, any dimension), and that
 * symbol must size nothing else. The reason says what stands against it and how to export the model again.
 */
export function decideBatching(ports: Ports, format: "pytorch" | "onnx"): Batching {
  const { inputs, outputs, state = NO_STATE } = ports;
  if (inputs.length === 0) return { kind: "off", reason: "the model has no inputs" };
  const hint = reexportHint(inputs, format);
  const off = (why: string): Batching => ({ kind: "off", reason: `${why}; ${hint}` });
  const isState = ({ name, aliases = [] }: Shaped): boolean =>
    state.has(name) || aliases.some((alias) => state.has(alias));
  const all = [
    ...inputs.map((spec) => ({ spec, label: `input ${spec.name}` })),
    ...outputs.map((spec) => ({ spec, label: `output ${spec.name}` })),
  ];
  let batch: VariableDim | undefined;
  for (const { spec, label } of all) {
    if (isState(spec)) continue;
    const first = spec.dims[0];
    if (first === undefined) return off(`${label} is a scalar`);
    if (typeof first === "number") return off(`the first dimension of ${label} is fixed at ${first}`);
    batch ??= first;
    if (first.symbol !== batch.symbol)
      return off(`the first dimension of ${label} is ${first.symbol}, not ${batch.symbol}`);
  }
  if (batch === undefined) return off("the model has no outputs");
  for (const { spec, label } of all) {
    const { symbol } = batch;
    const places = spec.dims.filter((dim) => typeof dim !== "number" && dim.symbol === symbol).length;
    if (places === 0) return off(`the state ${label} has no dimension ${symbol}`);
    if (places > 1)
      return off(`${symbol} also sizes another dimension of ${label}, so its rows depend on each other`);
  }
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
