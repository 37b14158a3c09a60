import { invariant, ServeError } from "../base/errors.ts";
import type { InferRequest } from "../base/infer-request.ts";
import { rowAxis, type Signature, type TensorSpec, type VariableDim } from "../base/signature.ts";
import { elementBytes, type NamedTensor } from "../base/tensor.ts";
import { compilePadding, type PaddingPlan } from "./padding.ts";
import type { QueueConfig } from "./queue-config.ts";

/** Requests share a run only when their keys are equal. A number where one variable dimension (or none) decides: no string is built then. */
export type ShapeKey = number | string;

/** A variable dimension, other than the batch's, that requests must agree on to share a run; once per symbol. */
interface KeySite {
  readonly input: number;
  readonly axis: number;
  readonly isPadded: boolean;
}

/** What the scheduler needs to know of a model, worked out once from its signature. */
export interface BatchPlan {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly outputIndex: ReadonlyMap<string, number>;
  /** Bytes per element of each output; 0 for BYTES. */
  readonly outputElementBytes: readonly number[];
  /** Which dimension the rows of each input and output lie along: the first, but for states of sequences. */
  readonly inputAxes: readonly number[];
  readonly outputAxes: readonly number[];
  /** Rows of different requests may share a run. Else every request runs alone and counts as one row. */
  readonly isBatched: boolean;
  readonly maxRows: number;
  /** Least rows of a run, and what their number must be a multiple of. */
  readonly minRows: number;
  readonly rowMultiple: number;
  readonly keySites: readonly KeySite[];
  readonly padding: PaddingPlan | undefined;
  /** How requests run that cannot share a run; undefined where that is this plan. */
  readonly alone: BatchPlan | undefined;
  /** That outputs have a row for each of the inputs' is what the model's file claims. */
  readonly areRowsClaimed: boolean;
}

/** Throws `invalid_argument` when the padding asked for does not fit the signature. */
export function compileBatchPlan(signature: Signature, config: QueueConfig): BatchPlan {
  const { inputs, outputs, batching } = signature;
  const batchDim = batching.kind === "on" ? batchDimOf(signature, batching.symbol) : undefined;
  const padding =
    config.pad === undefined || batchDim === undefined ? undefined : compilePadding(config.pad, signature);
  const alone: BatchPlan = {
    inputs,
    outputs,
    outputIndex: new Map(outputs.map((spec, index) => [spec.name, index])),
    outputElementBytes: outputs.map((spec) => elementBytes(spec.datatype)),
    inputAxes: [],
    outputAxes: [],
    isBatched: false,
    maxRows: 1,
    minRows: 0,
    rowMultiple: 1,
    keySites: [],
    padding: undefined,
    alone: undefined,
    areRowsClaimed: false,
  };
  if (batchDim === undefined) return alone;
  const rowMultiple = batchDim.multipleOf ?? 1;
  return {
    ...alone,
    inputAxes: inputs.map((spec) => rowAxis(spec, batchDim.symbol)),
    outputAxes: outputs.map((spec) => rowAxis(spec, batchDim.symbol)),
    isBatched: true,
    maxRows: config.maxBatchSize,
    minRows: batchDim.min,
    rowMultiple,
    keySites: findKeySites(inputs, batchDim.symbol, padding?.symbol),
    padding,
    alone,
    areRowsClaimed: signature.areSizesClaimed === true,
  };
}

/**
 * The batch dimension, which must stand once in every input and output. Where it leads, rows are gathered and sliced as bytes; elsewhere
 * they are copied.
 */
function batchDimOf(signature: Signature, symbol: string): VariableDim {
  let found: VariableDim | undefined;
  for (const { name, dims } of [...signature.inputs, ...signature.outputs]) {
    const places = dims.filter((dim) => typeof dim !== "number" && dim.symbol === symbol);
    invariant(places.length === 1, `batching is on, but ${name} is not made of rows`);
    found ??= places[0] as VariableDim;
  }
  invariant(found !== undefined, "batching is on, but the model has no inputs");
  return found;
}

function findKeySites(
  inputs: readonly TensorSpec[],
  batchSymbol: string,
  padSymbol: string | undefined,
): KeySite[] {
  const sites = new Map<string, KeySite>();
  inputs.forEach((spec, input) => {
    spec.dims.forEach((dim, axis) => {
      if (typeof dim === "number" || dim.symbol === batchSymbol || sites.has(dim.symbol)) return;
      sites.set(dim.symbol, { input, axis, isPadded: dim.symbol === padSymbol });
    });
  });
  return [...sites.values()];
}

/** The request's inputs in signature order; its own array when it is in that order already. Throws `invalid_argument`. */
export function inputsInOrder(plan: BatchPlan, inputs: readonly NamedTensor[]): readonly NamedTensor[] {
  if (inputs.length !== plan.inputs.length) {
    throw new ServeError("invalid_argument", `expected ${plan.inputs.length} inputs, got ${inputs.length}`);
  }
  for (let i = 0; i < inputs.length; i++) {
    if (inputs[i]!.name !== plan.inputs[i]!.name) return reordered(plan, inputs);
  }
  return inputs;
}

function reordered(plan: BatchPlan, inputs: readonly NamedTensor[]): NamedTensor[] {
  return plan.inputs.map((spec) => {
    const found = inputs.find((input) => input.name === spec.name);
    if (found === undefined) throw new ServeError("invalid_argument", `input "${spec.name}" is missing`);
    return found;
  });
}

/** Rows of a request; 1 when batching is off. */
export function rowsOf(plan: BatchPlan, inputs: readonly NamedTensor[]): number {
  return plan.isBatched ? (inputs[0]!.shape[plan.inputAxes[0]!] ?? 0) : 1;
}

/** Equal for requests that may share a run. Datatypes and fixed dimensions are the signature's, so only variable ones count. */
export function shapeKeyOf(plan: BatchPlan, inputs: readonly NamedTensor[]): ShapeKey {
  const sites = plan.keySites;
  if (sites.length === 0) return 0;
  if (sites.length === 1) return sizeAt(plan, inputs, sites[0]!);
  let key = "";
  for (let i = 0; i < sites.length; i++) key += `${sizeAt(plan, inputs, sites[i]!)},`;
  return key;
}

function sizeAt(plan: BatchPlan, inputs: readonly NamedTensor[], site: KeySite): number {
  const size = inputs[site.input]!.shape[site.axis] ?? 0;
  return site.isPadded ? plan.padding!.paddedSize(size) : size;
}

/** Indices of the outputs a request wants; undefined: all. Throws `invalid_argument` for an unknown name. */
export function wantedOutputs(plan: BatchPlan, request: InferRequest): number[] | undefined {
  return request.outputs?.map((name) => {
    const index = plan.outputIndex.get(name);
    if (index === undefined) {
      throw new ServeError(
        "invalid_argument",
        `the model has no output "${name}"; it has ${plan.outputs.map((o) => o.name).join(", ")}`,
      );
    }
    return index;
  });
}
