import { isUtf8 } from "node:buffer";
import { Tensor as OrtTensor } from "onnxruntime-node";
import { ServeError } from "../../base/errors.ts";
import type { RunInput } from "../../base/run.ts";
import { type Datatype, ELEMENT_ARRAYS, elementBytes, elementCount, type Tensor } from "../../base/tensor.ts";
import { datatypeOfOrt, ortTypeOf } from "./datatypes.ts";

/** A tensor for ONNX Runtime: a typed view on the same bytes; they are copied only when they are not aligned for their type. */
export function toOrtTensor(tensor: Tensor): OrtTensor {
  const { datatype, shape } = tensor;
  if (datatype === "BF16") return new OrtTensor("float32", widened(tensor.bytes), shape);
  const type = ortTypeOf(datatype);
  if (type === "string")
    return new OrtTensor("string", decodeStrings(tensor.bytes, elementCount(shape)), shape);
  if (type === undefined || datatype === "BYTES") {
    throw new ServeError("invalid_argument", `${datatype} tensors cannot be given to ONNX Runtime`, {
      reason: "invalid_input",
    });
  }
  const width = elementBytes(datatype);
  const bytes = tensor.bytes.byteOffset % width === 0 ? tensor.bytes : new Uint8Array(tensor.bytes);
  if (datatype === "BOOL") normalizeTruths(bytes);
  const data = new ELEMENT_ARRAYS[datatype](
    bytes.buffer as ArrayBuffer,
    bytes.byteOffset,
    bytes.byteLength / width,
  );
  // The array type was chosen by the same table as the type's name, which the overloads of the constructor cannot express.
  const made = new OrtTensor(type as "float32", data as unknown as Float32Array, shape);
  // Where Node has Float16Array (from 24 on) it is put in place of the data, and the native binding takes it for empty
  // (microsoft/onnxruntime#32323).
  if (type === "float16" && made.data !== data) Object.defineProperty(made, "data", { value: data });
  return made;
}

/** Any byte but 0 is true to clients, as in C and NumPy; operators calculate with the byte itself, and give 2 for a truth of 2. */
function normalizeTruths(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 1) bytes[i] = 1;
}

/** An output of ONNX Runtime as bytes; numeric data is not copied. `declared` is BF16 where the program rounded its float32 to that. */
export function fromOrtTensor(tensor: OrtTensor, declared: Datatype): RunInput {
  if (declared === "BF16" && tensor.data instanceof Float32Array)
    return { datatype: declared, shape: tensor.dims, chunks: [narrowed(tensor.data)] };
  const datatype = datatypeOfOrt(tensor.type);
  if (datatype === undefined) {
    throw new ServeError("internal", `the model gave a tensor of type ${tensor.type}, which cannot be sent`, {
      reason: "bad_output",
    });
  }
  return { datatype, shape: tensor.dims, chunks: [bytesOf(tensor)] };
}

/** A bfloat16 is the upper half of a float32. */
function widened(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits = new Uint32Array(bytes.byteLength / 2);
  for (let i = 0; i < bits.length; i++) bits[i] = view.getUint16(2 * i, true) << 16;
  return new Float32Array(bits.buffer);
}

function narrowed(values: Float32Array): Uint8Array {
  const halves = new Uint16Array(values.buffer, values.byteOffset, 2 * values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) bits[i] = halves[2 * i + 1]!;
  return new Uint8Array(bits.buffer);
}

function bytesOf(tensor: OrtTensor): Uint8Array {
  const { data } = tensor;
  if (Array.isArray(data)) return encodeStrings(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** BYTES elements: a little-endian uint32 length and that many bytes each. */
function decodeStrings(bytes: Uint8Array, count: number): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strings: string[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = at + 4 <= buffer.byteLength ? at + 4 + buffer.readUInt32LE(at) : Number.POSITIVE_INFINITY;
    if (end > buffer.byteLength) throw badStrings();
    const element = buffer.subarray(at + 4, end);
    // The binding takes texts, and ends them at a NUL: other bytes would reach the model changed.
    if (element.includes(0) || !isUtf8(element)) throw noText(i);
    strings.push(element.toString("utf8"));
    at = end;
  }
  if (at !== buffer.byteLength) throw badStrings();
  return strings;
}

function noText(index: number): ServeError {
  return new ServeError(
    "invalid_argument",
    `element ${index} of a BYTES tensor is not UTF-8, or holds a NUL character; ONNX Runtime takes texts without`,
    { reason: "invalid_input" },
  );
}

function badStrings(): ServeError {
  return new ServeError("invalid_argument", "the elements of a BYTES tensor do not fit its shape", {
    reason: "invalid_input",
  });
}

function encodeStrings(strings: readonly string[]): Uint8Array {
  const lengths = strings.map((text) => Buffer.byteLength(text, "utf8"));
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + 4 + length, 0));
  let at = 0;
  for (let i = 0; i < strings.length; i++) {
    at = bytes.writeUInt32LE(lengths[i]!, at);
    at += bytes.write(strings[i]!, at, "utf8");
  }
  return bytes;
}
