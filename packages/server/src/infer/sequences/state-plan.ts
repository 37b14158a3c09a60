import { ServeError } from "../../base/errors.ts";
import type { InitialState } from "../../base/kept-state.ts";
import {
  type GuardCondition,
  modelShape,
  type Signature,
  type SizeGuard,
  type StatePair,
  type TensorSpec,
} from "../../base/signature.ts";
import { elementBytes, type NamedTensor } from "../../base/tensor.ts";
import { tensorIndex } from "../tensor-index.ts";

/** Where the first request of a sequence says how large a dimension is. */
interface Site {
  readonly input: number;
  readonly axis: number;
}

/** One tensor that is kept from request to request. */
export interface StateTensor {
  readonly spec: TensorSpec;
  /** The output that the next request finds in the input. */
  readonly output: string;
  readonly dims: readonly (number | Site)[];
  /** Of one row; undefined: zeros. */
  readonly initial: Uint8Array | undefined;
}

/** A model with a state, as it is and as clients see it. */
export interface StatePlan {
  readonly inner: Signature;
  /** Without the state's inputs and outputs. */
  readonly outer: Signature;
  readonly slots: readonly StateTensor[];
  /** For each input of the model: the slot that it comes from, or −1 − the index of the client's own input. */
  readonly sources: readonly number[];
}

/** Throws `invalid_argument`/`invalid_config` when the state does not fit the model. `initial`: by name of the input. */
export function compileStatePlan(
  signature: Signature,
  pairs: readonly StatePair[],
  initial: ReadonlyMap<string, InitialState>,
): StatePlan {
  const [inputs, outputs] = [tensorIndex(signature.inputs), tensorIndex(signature.outputs)];
  const taken = pairs.map(({ input, output }) => ({
    spec: signature.inputs[placeOf(inputs, input, "input")]!,
    kept: signature.outputs[placeOf(outputs, output, "output")]!,
  }));
  const hidden = new Set(taken.flatMap(({ spec, kept }) => [spec, kept]));
  if (hidden.size < 2 * taken.length) throw invalid("an input or output stands there twice");
  const visible = signature.inputs.filter((spec) => !hidden.has(spec));
  if (visible.length === 0) throw invalid("no input would be left for requests");
  const given = new Map([...initial].map(([name, state]) => [placeOf(inputs, name, "input"), state]));
  const slots = taken.map(({ spec, kept }): StateTensor => {
    checkPair(spec, kept);
    const start = given.get(signature.inputs.indexOf(spec));
    given.delete(signature.inputs.indexOf(spec));
    const dims = startDims(spec, start, visible);
    const bytes = start !== undefined && "bytes" in start ? start.bytes : undefined;
    if (bytes !== undefined) checkBytes(spec, dims, bytes);
    return { spec, output: kept.name, dims, initial: bytes };
  });
  const [stray] = given.keys();
  if (stray !== undefined)
    throw invalid(`initial_state names "${signature.inputs[stray]!.name}", which is no state`);
  const outer = {
    ...signature,
    inputs: visible,
    outputs: signature.outputs.filter((spec) => !hidden.has(spec)),
    guards: (signature.guards ?? []).filter((guard) => isVisible(guard, visible)),
  };
  const specs = slots.map(({ spec }) => spec);
  const sources = signature.inputs.map((spec) =>
    hidden.has(spec) ? specs.indexOf(spec) : -1 - visible.indexOf(spec),
  );
  return { inner: signature, outer, slots, sources };
}

/** The state before the first request, whose (checked) inputs say how many rows it has. */
export function initialState(plan: StatePlan, inputs: readonly NamedTensor[]): NamedTensor[] {
  return plan.slots.map(({ spec: { name, datatype }, dims, initial }) => {
    const shape = dims.map((dim) => (typeof dim === "number" ? dim : inputs[dim.input]!.shape[dim.axis]!));
    const bytes = initial === undefined ? zeros(datatype, shape) : repeated(initial, dims, shape);
    return { name, datatype, shape, bytes };
  });
}

/** Bytes of that state. */
export function initialBytes(plan: StatePlan, inputs: readonly NamedTensor[]): number {
  let bytes = 0;
  for (const { spec, dims } of plan.slots) {
    let size = widthOf(spec.datatype);
    for (const dim of dims) size *= typeof dim === "number" ? dim : inputs[dim.input]!.shape[dim.axis]!;
    bytes += size;
  }
  return bytes;
}

/** The model's inputs in its order: the client's, and the state. */
export function withState(
  { sources }: StatePlan,
  inputs: readonly NamedTensor[],
  state: readonly NamedTensor[],
): NamedTensor[] {
  return sources.map((source) => (source < 0 ? inputs[-1 - source]! : state[source]!));
}

function placeOf(index: ReadonlyMap<string, number>, name: string, kind: string): number {
  const place = index.get(name);
  if (place === undefined)
    throw invalid(
      `the model has no ${kind} ${JSON.stringify(name.slice(0, 64))}; it has ${[...index.keys()].join(", ")}`,
    );
  return place;
}

function checkPair(input: TensorSpec, output: TensorSpec): void {
  const [a, b] = [modelShape(input), modelShape(output)];
  const hasShape = input.isRankFree === true || a.length === b.length;
  const fits = hasShape && a.every((size, axis) => size < 0 || (b[axis] ?? -1) < 0 || b[axis] === size);
  if (input.datatype !== output.datatype || !fits)
    throw invalid(
      `input "${input.name}" is ${input.datatype} [${a.join(", ")}], but output "${output.name}" is ${output.datatype} [${b.join(", ")}]`,
    );
}

function startDims(
  spec: TensorSpec,
  start: InitialState | undefined,
  visible: readonly TensorSpec[],
): (number | Site)[] {
  const stated = start !== undefined && "dims" in start ? start.dims : undefined;
  if (stated !== undefined && spec.isRankFree !== true && stated.length !== spec.dims.length)
    throw invalid(
      `initial_state gives "${spec.name}" ${stated.length} dimensions; it has ${spec.dims.length}`,
    );
  if (stated === undefined && spec.isRankFree === true) throw unknownSize(spec, "its dimensions");
  return (stated ?? spec.dims).map((size, axis) => {
    const own = spec.dims[axis] ?? size;
    if (typeof size === "number") {
      if (typeof own === "number" && own !== size)
        throw invalid(`initial_state gives dimension ${axis} of "${spec.name}" ${size}; it is ${own}`);
      return size;
    }
    if (typeof own === "number") return own;
    const site = siteOf(typeof size === "string" ? size : size.symbol, visible);
    if (site === undefined) throw unknownSize(spec, `dimension ${axis}`);
    return site;
  });
}

function siteOf(symbol: string, visible: readonly TensorSpec[]): Site | undefined {
  for (const [input, { dims }] of visible.entries()) {
    const axis = dims.findIndex((dim) => typeof dim !== "number" && dim.symbol === symbol);
    if (axis >= 0) return { input, axis };
  }
  return undefined;
}

function unknownSize({ name, dims }: TensorSpec, what: string): ServeError {
  const sizes = dims.map((dim) => (typeof dim === "number" ? dim : 1)).join(", ");
  return invalid(
    `nothing says how large ${what} of "${name}" is at the beginning; say so: initial_state: {${name}: "zeros[${sizes}]"}`,
  );
}

function checkBytes(spec: TensorSpec, dims: readonly (number | Site)[], bytes: Uint8Array): void {
  const row = dims.reduce<number>((size, dim) => size * (typeof dim === "number" ? dim : 1), 1);
  const expected = row * elementBytes(spec.datatype);
  if (spec.datatype === "BYTES" || dims.filter((dim) => typeof dim !== "number").length > 1)
    throw invalid(`initial_state cannot be a file for "${spec.name}": its bytes would not say its shape`);
  if (bytes.length !== expected)
    throw invalid(
      `the file of initial_state for "${spec.name}" has ${bytes.length} bytes; one row of ${spec.datatype} [${modelShape(spec).join(", ")}] has ${expected}`,
    );
}

/** Of one element; an empty text is its length. */
function widthOf(datatype: TensorSpec["datatype"]): number {
  return datatype === "BYTES" ? 4 : elementBytes(datatype);
}

function zeros(datatype: TensorSpec["datatype"], shape: readonly number[]): Uint8Array {
  return new Uint8Array(shape.reduce((size, dim) => size * dim, widthOf(datatype)));
}

/** One row's bytes, for as many rows as the shape has. */
function repeated(bytes: Uint8Array, dims: readonly (number | Site)[], shape: readonly number[]): Uint8Array {
  const axis = dims.findIndex((dim) => typeof dim !== "number");
  const rows = axis < 0 ? 1 : shape[axis]!;
  if (rows === 1) return bytes;
  const outer = shape.slice(0, axis).reduce((size, dim) => size * dim, 1);
  const part = outer === 0 ? 0 : bytes.length / outer;
  const all = new Uint8Array(bytes.length * rows);
  for (let o = 0; o < outer; o++)
    for (let row = 0; row < rows; row++)
      all.set(bytes.subarray(o * part, (o + 1) * part), (o * rows + row) * part);
  return all;
}

/** Whether a guard speaks of clients' inputs alone. The others are looked at when the state is there. */
function isVisible({ condition }: SizeGuard, visible: readonly TensorSpec[]): boolean {
  const holds = (part: GuardCondition): boolean => {
    if (typeof part === "number") return true;
    if (part.op === "value") return visible.some(({ name }) => name === part.input);
    if (part.op === "size") return siteOf(part.symbol, visible) !== undefined;
    return part.args.every(holds);
  };
  return holds(condition);
}

function invalid(message: string): ServeError {
  return new ServeError("invalid_argument", `state: ${message}`, { reason: "invalid_config" });
}
