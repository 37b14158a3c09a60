import {
  type Dim,
  type IndexRange,
  modelShape,
  type Signature,
  type SizeGuard,
  type TensorSpec,
  type VariableDim,
} from "../base/signature.ts";
import { elementBytes, type NamedTensor } from "../base/tensor.ts";
import { guardReads } from "./guard-reads.ts";
import { GuardTable, scalarOf } from "./guard-table.ts";
import { outlyingIndex } from "./index-check.ts";
import { count, rejectInput } from "./reject-input.ts";
import { compileReshape, type Reshape } from "./reshape.ts";
import { checkStrings } from "./string-check.ts";
import { tensorIndex } from "./tensor-index.ts";

/** Bytes of one element of a BYTES tensor. */
const MAX_STRING_BYTES = 1024 * 1024;

/** Longer names of the caller are cut in messages. */
const MAX_QUOTED = 64;

/**
 * Checks the inputs of one request and returns them in signature order: the array itself when it has that order, else a new one.
 * Throws `invalid_argument` that names the input, what it is and what was expected, or the guard that fails. Keeps nothing of what it was given.
 */
export type InputCheck = (inputs: readonly NamedTensor[]) => readonly NamedTensor[];

export interface InputCheckLimits {
  /** Bytes of one element of a BYTES tensor; default 1 MiB. */
  readonly maxStringBytes?: number;
}

/** A dimension ready to be compared. `symbol` indexes the sizes seen in this request; −1 for a fixed dimension. */
interface CompiledDim {
  readonly symbol: number;
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly multipleOf: number;
}

interface CompiledInput {
  readonly spec: TensorSpec;
  readonly dims: readonly CompiledDim[];
  readonly elementBytes: number;
  /** Of one element per row, or in all: Triton's configuration has to call that `[1]` and says so (`reshape`), so that is taken as well. */
  readonly mayEndInOne: boolean;
  /** From the shape that clients see to the model's. */
  readonly reshape: Reshape | undefined;
}

/** Sizes of the symbols in the request under check, and which input set each; reused, since a check never waits. */
interface SymbolSizes {
  readonly sizes: Float64Array;
  readonly setBy: string[];
}

/** Compiles the check of a signature, once per model. */
export function compileInputCheck(signature: Signature, limits: InputCheckLimits = {}): InputCheck {
  const maxStringBytes = limits.maxStringBytes ?? MAX_STRING_BYTES;
  const symbols = new Map<string, number>();
  const inputs = signature.inputs.map((spec) => compileInput(spec, signature, symbols));
  const order = tensorIndex(signature.inputs);
  const guards = signature.guards ?? [];
  const table = guards.length === 0 ? undefined : new GuardTable(guards, symbols, signature.inputs);
  const seen: SymbolSizes = {
    sizes: table?.sizes ?? new Float64Array(symbols.size),
    setBy: new Array(symbols.size).fill(""),
  };
  return (given) => {
    let ordered = inOrder(given, signature.inputs) ? given : reorder(given, signature.inputs, order);
    seen.sizes.fill(-1);
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i]!;
      if (input.reshape !== undefined) ordered = reshaped(ordered, i, input.reshape);
      else if (input.mayEndInOne && endsInOne(ordered[i]!, input.dims.length))
        ordered = withoutOne(ordered, i);
      checkTensor(input, ordered[i]!, seen, maxStringBytes);
    }
    const failed = table?.firstFailed(ordered);
    if (failed !== undefined) rejectGuard(failed, signature.inputs, ordered);
    return ordered;
  };
}

function compileInput(
  spec: TensorSpec,
  { batching, areSizesClaimed = false }: Signature,
  symbols: Map<string, number>,
): CompiledInput {
  const dims = spec.dims.map((dim, axis): CompiledDim => {
    if (typeof dim === "number") return { symbol: -1, name: "", min: dim, max: dim, multipleOf: 1 };
    const key = areSizesClaimed ? JSON.stringify([spec.name, axis]) : dim.symbol;
    const symbol = symbols.get(key) ?? symbols.size;
    symbols.set(key, symbol);
    return {
      symbol,
      name: dim.symbol,
      min: Math.max(0, dim.min),
      max: dim.max ?? Number.MAX_SAFE_INTEGER,
      multipleOf: dim.multipleOf ?? 1,
    };
  });
  const [first] = spec.dims;
  const isRow = batching.kind === "on" && typeof first === "object" && first.symbol === batching.symbol;
  const mayEndInOne = spec.isRankFree !== true && dims.length === (isRow ? 1 : 0);
  const reshape = spec.wireDims === undefined ? undefined : compileReshape(spec.wireDims, modelShape(spec));
  return { spec, dims, elementBytes: elementBytes(spec.datatype), mayEndInOne, reshape };
}

function endsInOne({ shape }: NamedTensor, rank: number): boolean {
  return shape.length === rank + 1 && shape[rank] === 1;
}

/** A copy in which one tensor has the model's shape. One that has it already stays: clients that know the model send that. */
function reshaped(tensors: readonly NamedTensor[], index: number, reshape: Reshape): readonly NamedTensor[] {
  const tensor = tensors[index]!;
  const shape = reshape(tensor.shape);
  if (shape === undefined) return tensors;
  const changed = [...tensors];
  changed[index] = { ...tensor, shape };
  return changed;
}

/** A copy in which one tensor has lost its last dimension. */
function withoutOne(tensors: readonly NamedTensor[], index: number): readonly NamedTensor[] {
  const tensor = tensors[index]!;
  const changed = [...tensors];
  changed[index] = { ...tensor, shape: tensor.shape.slice(0, -1) };
  return changed;
}

function inOrder(given: readonly NamedTensor[], specs: readonly TensorSpec[]): boolean {
  if (given.length !== specs.length) return false;
  for (let i = 0; i < given.length; i++) if (given[i]!.name !== specs[i]!.name) return false;
  return true;
}

function reorder(
  given: readonly NamedTensor[],
  specs: readonly TensorSpec[],
  order: ReadonlyMap<string, number>,
): readonly NamedTensor[] {
  const sorted = new Array<NamedTensor | undefined>(specs.length).fill(undefined);
  for (const tensor of given) {
    const index = order.get(tensor.name);
    if (index === undefined) {
      rejectInput(`input ${quote(tensor.name)}: the model has no such input; it takes ${listNames(specs)}`);
    }
    const { name } = specs[index]!;
    if (sorted[index] !== undefined) rejectInput(`input "${name}" is given twice`);
    sorted[index] = tensor.name === name ? tensor : { ...tensor, name };
  }
  for (let i = 0; i < specs.length; i++) {
    if (sorted[i] === undefined)
      rejectInput(`input "${specs[i]!.name}" is missing; the model takes ${listNames(specs)}`);
  }
  return sorted as NamedTensor[]; // every slot was just seen to be filled
}

function checkTensor(
  input: CompiledInput,
  tensor: NamedTensor,
  seen: SymbolSizes,
  maxStringBytes: number,
): void {
  const { spec, dims } = input;
  if (tensor.datatype !== spec.datatype) {
    rejectInput(`input "${spec.name}": datatype is ${tensor.datatype}, expected ${spec.datatype}`);
  }
  const { shape } = tensor;
  if (shape.length !== dims.length && spec.isRankFree !== true) {
    rejectInput(
      `input "${spec.name}": shape has ${count(shape.length, "dimension")}, expected ${describeDims(spec)}`,
    );
  }
  let elements = 1;
  let empty = false;
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis]!;
    if (spec.isRankFree === true) checkFreeDim(spec, axis, size);
    else checkDim(input, axis, size, seen);
    if (size === 0) empty = true;
    else elements *= size;
  }
  if (empty) elements = 0;
  else if (elements > Number.MAX_SAFE_INTEGER)
    rejectInput(`input "${spec.name}": the shape has too many elements`);
  if (spec.datatype === "BYTES")
    checkStrings(spec.name, tensor.bytes, elements, spec.maxElementBytes ?? maxStringBytes);
  else if (tensor.bytes.byteLength !== elements * input.elementBytes) {
    const expected = `expected ${elements * input.elementBytes} for shape [${shape.join(",")}] of ${spec.datatype}`;
    rejectInput(`input "${spec.name}": the data has ${count(tensor.bytes.byteLength, "byte")}, ${expected}`);
  }
  if (spec.indices !== undefined) checkIndices(spec.name, tensor, spec.indices);
}

function checkIndices(name: string, tensor: NamedTensor, range: IndexRange): void {
  const found = outlyingIndex(tensor, range);
  if (found === undefined) return;
  rejectInput(
    `input "${name}": element ${found.element} is ${found.value}, but it is an index from ${range.min} to ${range.max}`,
  );
}

function checkFreeDim(spec: TensorSpec, axis: number, size: number): void {
  if (size >= 0 && Number.isSafeInteger(size)) return;
  rejectInput(`input "${spec.name}": dimension ${axis} must be a whole number, got ${size}`);
}

function checkDim(input: CompiledInput, axis: number, size: number, seen: SymbolSizes): void {
  const dim = input.dims[axis]!;
  if (size < dim.min || size > dim.max || !Number.isSafeInteger(size)) rejectDim(input.spec, axis, size, dim);
  if (dim.symbol < 0) return;
  if (size % dim.multipleOf !== 0) {
    rejectInput(
      `input "${input.spec.name}": ${dim.name} must be a multiple of ${dim.multipleOf}, got ${size}`,
    );
  }
  const known = seen.sizes[dim.symbol]!;
  if (known < 0) {
    seen.sizes[dim.symbol] = size;
    seen.setBy[dim.symbol] = input.spec.name;
  } else if (known !== size) {
    const other = seen.setBy[dim.symbol]!;
    const where = other === input.spec.name ? "an earlier dimension" : `input "${other}"`;
    rejectInput(
      `input "${input.spec.name}": ${dim.name} is ${size}, but it is ${known} in ${where}; they must be equal`,
    );
  }
}

function rejectDim(spec: TensorSpec, axis: number, size: number, dim: CompiledDim): never {
  if (dim.symbol < 0) rejectInput(`input "${spec.name}": dimension ${axis} is ${size}, expected ${dim.min}`);
  if (size >= dim.min && size <= dim.max) {
    rejectInput(`input "${spec.name}": ${dim.name} must be a whole number, got ${size}`);
  }
  const range =
    dim.max === Number.MAX_SAFE_INTEGER ? `at least ${dim.min}` : `between ${dim.min} and ${dim.max}`;
  rejectInput(`input "${spec.name}": ${dim.name} must be ${range}, got ${size}`);
}

function rejectGuard(
  { requirement, condition }: SizeGuard,
  specs: readonly TensorSpec[],
  given: readonly NamedTensor[],
): never {
  const reads = guardReads(condition, specs);
  const found = reads.map(({ label, input, axis }) => {
    const value = axis === undefined ? scalarOf(given[input]!) : given[input]!.shape[axis]!;
    return reads.length === 1 ? `${value}` : `${label} = ${value}`;
  });
  rejectInput(found.length === 0 ? requirement : `${requirement}; got ${found.join(", ")}`);
}

function describeDims(spec: TensorSpec): string {
  const dims = spec.dims.map((dim: Dim) =>
    typeof dim === "number" ? `${dim}` : (dim satisfies VariableDim).symbol,
  );
  return `${spec.dims.length}: [${dims.join(", ")}]`;
}

function listNames(specs: readonly TensorSpec[]): string {
  return specs.length === 0 ? "no inputs" : specs.map((spec) => `"${spec.name}"`).join(", ");
}

/** A caller's own word in a message: cut, and without control characters. */
function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
}
