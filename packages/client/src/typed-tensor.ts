import {
  bfloat16Bits,
  type Datatype,
  ELEMENT_ARRAYS,
  type ElementArrays,
  elementCount,
  float16Bits,
  packBytes,
  ServeError,
  unpackBytes,
} from "@sconce/protocol";

/** What holds the elements of a tensor, by datatype. FP16 and BF16 come as their bits; BYTES as one array per element. */
export interface TypedElements extends ElementArrays {
  readonly BYTES: readonly Uint8Array[];
}

/** A tensor with elements that JavaScript can read: row-major, `data.length` is the product of `shape`. */
export type TypedTensor<D extends Datatype = Datatype> = {
  readonly [K in D]: {
    readonly datatype: K;
    readonly shape: readonly number[];
    readonly data: TypedElements[K];
  };
}[D];

/** Values that become elements: numbers are rounded to the datatype as an assignment to its array does, texts are UTF-8. */
export type ElementValues = ArrayLike<number | bigint | boolean | string | Uint8Array>;

const UTF8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);

/**
 * A tensor of `datatype` and `shape`. An array of the datatype's own kind is taken as it is and not copied; others are converted element by
 * element. Throws `invalid_argument` when there are more or fewer elements than the shape says.
 */
export function tensor<D extends Datatype>(
  datatype: D,
  shape: readonly number[],
  data: TypedElements[D] | ElementValues,
): TypedTensor<D> {
  const count = elementCount(shape);
  if (data.length !== count) {
    throw new ServeError(
      "invalid_argument",
      `a tensor of shape [${shape.join(", ")}] has ${count} elements, but ${data.length} are given`,
    );
  }
  return { datatype, shape, data: elementsOf(datatype, data) } as TypedTensor<D>;
}

function elementsOf(datatype: Datatype, data: ArrayLike<unknown>): TypedElements[Datatype] {
  if (datatype === "BYTES") return Array.from(data, bytesOf);
  const Elements = ELEMENT_ARRAYS[datatype];
  if (data instanceof Elements) return data;
  const elements = new Elements(data.length);
  for (let i = 0; i < data.length; i++) elements[i] = elementOf(datatype, data[i]);
  return elements;
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return UTF8.encode(value);
  throw new ServeError(
    "invalid_argument",
    `an element of BYTES is a text or a Uint8Array, not ${show(value)}`,
  );
}

/** An element as its array takes it. Throws `invalid_argument` for what is no number of the kind, and for integers out of range. */
function elementOf(datatype: Exclude<Datatype, "BYTES">, value: unknown): never {
  const isWhole = /INT/.test(datatype);
  if (datatype === "BOOL") return (value === true || value === 1 ? 1 : isFalse(value)) as never;
  if (datatype === "INT64" || datatype === "UINT64") return wide(datatype, value) as never;
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number" || (isWhole && !inRange(datatype, number)))
    throw new ServeError("invalid_argument", `${show(value)} is no ${datatype}`);
  if (datatype === "FP16") return float16Bits(number) as never;
  if (datatype === "BF16") return bfloat16Bits(number) as never;
  return number as never;
}

function isFalse(value: unknown): 0 {
  if (value === false || value === 0) return 0;
  throw new ServeError("invalid_argument", `${show(value)} is no BOOL`);
}

function inRange(datatype: Datatype, value: number): boolean {
  const isSigned = datatype.startsWith("INT");
  const bits = Number(datatype.replace(/^U?INT/, ""));
  const [least, most] = isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  return Number.isInteger(value) && value >= least && value <= most;
}

function wide(datatype: "INT64" | "UINT64", value: unknown): bigint {
  if (typeof value === "bigint" || Number.isSafeInteger(value)) {
    const big = BigInt(value as bigint | number);
    const kept = datatype === "INT64" ? BigInt.asIntN(64, big) : BigInt.asUintN(64, big);
    if (kept === big) return big;
  }
  throw new ServeError(
    "invalid_argument",
    `${show(value)} is no ${datatype}; whole numbers beyond 2^53 are given as bigint`,
  );
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value).slice(0, 40);
}

/** The texts of a BYTES tensor, as UTF-8. */
export function texts(bytes: TypedTensor<"BYTES">): string[] {
  const decoder = new TextDecoder();
  return bytes.data.map((element) => decoder.decode(element));
}

/** The bytes that a tensor has on the wire; a view on its data. */
export function wireBytes({ datatype, data }: TypedTensor): Uint8Array {
  if (datatype === "BYTES") return data.length === 0 ? NO_BYTES : packBytes(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The tensor that bytes of the wire hold; it keeps no view on them unless they are aligned. Throws `invalid_argument` naming `field`. */
export function fromWire(
  datatype: Datatype,
  shape: readonly number[],
  { bytes, field }: { readonly bytes: Uint8Array; readonly field: string },
): TypedTensor {
  if (datatype === "BYTES") return tensor(datatype, shape, unpackBytes(bytes, field));
  const Elements = ELEMENT_ARRAYS[datatype];
  if (bytes.length !== elementCount(shape) * Elements.BYTES_PER_ELEMENT) {
    throw new ServeError(
      "invalid_argument",
      `${field}: ${bytes.length} bytes do not make a ${datatype} tensor of shape [${shape.join(", ")}]`,
    );
  }
  const isAligned = bytes.byteOffset % Elements.BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset } = isAligned ? bytes : bytes.slice();
  const data = new Elements(buffer as ArrayBuffer, byteOffset, bytes.length / Elements.BYTES_PER_ELEMENT);
  return { datatype, shape, data } as TypedTensor;
}
