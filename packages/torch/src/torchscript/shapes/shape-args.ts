import { complexDtype, componentDtype, type DType, isComplex } from "../../dtype.ts";
import type { TensorType } from "../../graph/ir.ts";
import type { Dim } from "../../graph/sym.ts";
import { promote } from "../../lower/core/promote.ts";
import { isTensor, type Operand } from "../../lower/core/tensor.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { isNumber, type TensorValue, type Value } from "../value.ts";
import { numeric } from "./dims.ts";

/** What a shape function answers: the type of each result, lists flattened. */
export type ShapeFn = (args: ShapeArgs) => TensorType | readonly TensorType[];

export type ShapeTable = Readonly<Record<string, ShapeFn>>;

/** The dtypes that TorchScript writes as numbers (c10/core/ScalarType.h). */
const SCALAR_TYPES: readonly (DType | undefined)[] = Object.assign(
  new Array<DType | undefined>(46).fill(undefined),
  {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
    8: "complex32",
    9: "complex64",
    10: "complex128",
    11: "bool",
    15: "bfloat16",
    23: "float8_e5m2",
    24: "float8_e4m3fn",
    25: "float8_e5m2fnuz",
    26: "float8_e4m3fnuz",
    27: "uint16",
    28: "uint32",
    29: "uint64",
  },
);

export function dtypeOfCode(code: number): DType {
  return SCALAR_TYPES[code] ?? unsupportedOp(`the dtype with number ${code} is not known`);
}

export function codeOfDtype(dtype: DType): number {
  return SCALAR_TYPES.indexOf(dtype);
}

/** The arguments of one call by schema name, typed on access. Every method refuses the op when the argument has another form. */
export class ShapeArgs {
  readonly #target: string;
  readonly #args: ReadonlyMap<string, Value>;
  readonly #newSize: () => Dim;

  /** `newSize` names a size that only the data knows. */
  constructor(target: string, args: ReadonlyMap<string, Value>, newSize: () => Dim) {
    this.#target = target;
    this.#args = args;
    this.#newSize = newSize;
  }

  /** Whether the op is the one of this name, such as "unique_dim". */
  isTarget(op: string): boolean {
    return this.#target.split(".")[1] === op;
  }

  /** A size of the result that depends on the data. */
  dataSize(): Dim {
    return this.#newSize();
  }

  /** Whether the op has an argument of this name, None or not. */
  isGiven(name: string): boolean {
    return this.#args.has(name);
  }

  has(name: string): boolean {
    return (this.#args.get(name)?.kind ?? "none") !== "none";
  }

  get(name: string): Value {
    return this.#args.get(name) ?? unsupportedOp(`its argument '${name}' is missing`);
  }

  tensor(name: string): TensorType {
    return asTensor(this.get(name), name).type;
  }

  tensors(name: string): TensorType[] {
    return this.items(name).map((item) => asTensor(item, name).type);
  }

  items(name: string): readonly Value[] {
    const value = this.get(name);
    return value.kind === "list" || value.kind === "tuple"
      ? value.items
      : unsupportedOp(`its argument '${name}' is not a list`);
  }

  size(name: string): Dim {
    return asSize(this.get(name), name);
  }

  /** A list of sizes; a lone one counts as a list of one. */
  sizes(name: string): Dim[] {
    const value = this.get(name);
    return (value.kind === "list" || value.kind === "tuple" ? value.items : [value]).map((item) =>
      asSize(item, name),
    );
  }

  int(name: string): number {
    return numeric(this.size(name));
  }

  ints(name: string): number[] {
    return this.sizes(name).map(numeric);
  }

  /** `count` integers: a list of that length, or one for all. */
  each(name: string, count: number): number[] {
    const ints = this.ints(name);
    if (ints.length === count) return ints;
    return ints.length === 1
      ? new Array<number>(count).fill(ints[0]!)
      : unsupportedOp(`its argument '${name}' has ${ints.length} items`);
  }

  number(name: string): number {
    const value = this.get(name);
    const number = value.kind === "tensor" ? value.number : value;
    if (number === undefined || !isNumber(number))
      return unsupportedOp(`its argument '${name}' is not a known number`);
    return numeric(number.value);
  }

  bool(name: string): boolean {
    return this.has(name) && this.number(name) !== 0;
  }

  text(name: string): string {
    const value = this.get(name);
    return value.kind === "string" ? value.value : unsupportedOp(`its argument '${name}' is not text`);
  }

  dtype(name = "dtype"): DType | undefined {
    return this.#args.has(name) && this.has(name) ? dtypeOfCode(this.int(name)) : undefined;
  }

  /** The dtype in which PyTorch calculates with these operands, tensors or numbers; missing ones do not count. */
  promoted(...names: readonly string[]): DType {
    return promotedOf(names.filter((name) => this.has(name)).map((name) => this.#operand(name)));
  }

  #operand(name: string): Operand {
    const value = this.get(name);
    const number = value.kind === "tensor" && value.isWrapped ? value.number! : value;
    if (isNumber(number)) return { kind: number.kind, value: number.value };
    const { dtype, dims } = asTensor(value, name).type;
    return { name: "", dtype, dims, declared: dtype };
  }

  /** The shape of an operand: that of a tensor, or none for a number. */
  operandDims(name: string): readonly Dim[] {
    const value = this.get(name);
    return isNumber(value) ? [] : asTensor(value, name).type.dims;
  }
}

function asTensor(value: Value, name: string): TensorValue {
  return value.kind === "tensor" ? value : unsupportedOp(`its argument '${name}' is not a tensor`);
}

function asSize(value: Value, name: string): Dim {
  const number = value.kind === "tensor" ? value.number : value;
  if (number === undefined || !isNumber(number))
    return unsupportedOp(`its argument '${name}' depends on the values of a tensor`);
  return number.kind === "float" ? unsupportedOp(`its argument '${name}' is not an integer`) : number.value;
}

export function tensorType(dtype: DType, dims: readonly Dim[]): TensorType {
  return { kind: "tensor", dtype, dims, strides: undefined };
}

export function isFloat(dtype: DType): boolean {
  return dtype.startsWith("float") || dtype === "bfloat16";
}

/** PyTorch's type promotion, of complex numbers too. */
export function promotedOf(operands: readonly Operand[]): DType {
  const tensors = operands.filter(isTensor);
  if (!tensors.some(({ dtype }) => isComplex(dtype))) return promote(operands);
  const parts = operands.map((operand) =>
    isTensor(operand) ? { ...operand, dtype: componentDtype(operand.dtype) ?? operand.dtype } : operand,
  );
  return complexOf(floatOf(promote(parts)));
}

/** The dtype of complex numbers with parts of this one. */
export function complexOf(part: DType): DType {
  return complexDtype(part) ?? unsupportedOp(`no complex number has parts of ${part}`);
}

/** The dtype of functions that have no integer result, such as `exp`. */
export function floatOf(dtype: DType): DType {
  return isFloat(dtype) || dtype.startsWith("complex") ? dtype : "float32";
}

/** The dtype of sums: integers and bools add up in int64. */
export function sumOf(dtype: DType): DType {
  return isFloat(dtype) || dtype.startsWith("complex") ? dtype : "int64";
}
