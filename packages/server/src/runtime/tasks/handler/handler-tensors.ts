import type { Dim, TensorSpec } from "../../../base/signature.ts";
import { ELEMENT_ARRAYS, elementCount, type NamedTensor } from "../../../base/tensor.ts";
import type { HandlerInput, HandlerTensor } from "./define-handler.ts";

type Values = ArrayLike<unknown>;
const MAX_RANK = 16;

/** What a handler made for an input, as a tensor. Throws an Error that says what does not fit. */
export function toTensor(spec: TensorSpec, given: HandlerInput): NamedTensor {
  const { shape, data } = flatten(given);
  const full = shape.length === spec.dims.length - 1 && isBatch(spec.dims[0]!) ? [1, ...shape] : shape;
  if (elementCount(full) !== data.length)
    throw new Error(`${spec.name}: ${data.length} values do not fill the shape [${full.join(", ")}]`);
  return { name: spec.name, datatype: spec.datatype, shape: full, bytes: bytesOf(spec, data) };
}

function isBatch(dim: Dim): boolean {
  return typeof dim !== "number" || dim === 1;
}

function flatten(given: HandlerInput): { readonly shape: readonly number[]; readonly data: Values } {
  if (typeof given === "object" && given !== null && "data" in given && "shape" in given) {
    const { shape, data } = given;
    if (!Array.isArray(shape)) throw new Error("a shape is a list of numbers");
    return { shape, data: data as Values };
  }
  if (ArrayBuffer.isView(given))
    return { shape: [(given as unknown as Values).length], data: given as unknown as Values };
  const shape: number[] = [];
  for (let level: unknown = given; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > MAX_RANK) throw new Error("nested too deeply");
  }
  const data = Array.isArray(given) ? given.flat(shape.length - 1) : [given];
  if (data.some(Array.isArray)) throw new Error("rows differ in length");
  return { shape, data };
}

function bytesOf({ name, datatype }: TensorSpec, data: Values): Uint8Array {
  if (datatype === "BYTES") return packed(data);
  const isBig = datatype === "INT64" || datatype === "UINT64";
  const values = Array.from(data, (value) => {
    const fits = typeof value === "number" || typeof value === "bigint" || typeof value === "boolean";
    if (!fits) throw new Error(`${name}: ${typeof value} is no ${datatype}`);
    return isBig ? BigInt(value) : Number(value);
  });
  // Which of the two kinds of numbers it takes, the line above has made sure.
  const array = new ELEMENT_ARRAYS[datatype](values as never);
  return new Uint8Array(array.buffer);
}

/** Each element with its length before it, as BYTES tensors have it. */
function packed(data: Values): Uint8Array {
  const pieces = Array.from(data, (value) => {
    const bytes = Buffer.from(value instanceof Uint8Array ? value : String(value));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  return Buffer.concat(pieces);
}

/** A model's output as a handler gets it; the values are the handler's own. */
export function fromTensor({ datatype, shape, bytes }: NamedTensor): HandlerTensor {
  const data =
    datatype === "BYTES" ? unpacked(bytes) : new ELEMENT_ARRAYS[datatype](Uint8Array.from(bytes).buffer);
  return { datatype, shape, data } as HandlerTensor;
}

function unpacked(bytes: Uint8Array): string[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let at = 0; at + 4 <= view.length; ) {
    const end = at + 4 + view.readUInt32LE(at);
    texts.push(view.toString("utf8", at + 4, end));
    at = end;
  }
  return texts;
}

/** The same as nested lists, for an answer. */
export function nestedOf({ shape, data }: HandlerTensor): unknown {
  const build = (axis: number, from: number, size: number): unknown => {
    if (axis === shape.length) return plain(data[from]);
    const step = shape[axis] === 0 ? 0 : size / shape[axis]!;
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, from + i * step, step));
  };
  return build(0, 0, data.length);
}

/** JSON has no whole numbers beyond 2⁵³; they go as numbers all the same. */
function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
