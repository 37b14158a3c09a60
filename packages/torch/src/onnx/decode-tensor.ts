import { elementCount } from "../archive/stored-tensor.ts";
import { BYTE_WIDTHS, type DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import { dtypeOfOnnx } from "./dtype.ts";
import type { ExternalData, Initializer } from "./model.ts";
import { int32, type OnnxCursor } from "./onnx-cursor.ts";
import type { WireField } from "./wire-cursor.ts";

/** TensorProto.DataLocation.EXTERNAL. */
const EXTERNAL = 1;

/**
 * Reads a TensorProto. Its `raw_data` is not copied: the initializer points at the bytes inside the model file (`location` is the
 * model file's own name), as external data points at another one.
 */
export function decodeTensor(cursor: OnnxCursor, message: WireField, location: string): Initializer {
  const dims: number[] = [];
  const external = new Map<string, string>();
  const typed: WireField[] = [];
  let [name, type, place] = ["", 0, 0];
  let raw: ExternalData | undefined;
  cursor.eachField("tensor", message, (field) => {
    if (field.number === 1) cursor.eachInt(field, (size) => dims.push(Number(size)));
    else if (field.number === 2) type = int32(field);
    else if (field.number === 8) name = cursor.name(field);
    else if (field.number === 9) raw = { location, offset: field.offset, byteLength: field.length };
    else if (field.number === 13) externalEntry(cursor, field, external);
    else if (field.number === 14) place = int32(field);
    else if (TYPED_FIELDS.has(field.number)) typed.push(field);
  });
  const dtype = dtypeOfOnnx(type);
  if (dtype === undefined) {
    throw new ModelFileError(
      "unsupported",
      `the tensor '${name}' holds strings or a type that PyTorch does not have; export the model anew`,
    );
  }
  const byteLength = elementCount(dims) * BYTE_WIDTHS[dtype];
  const outside = place === EXTERNAL ? externalData(external, byteLength) : undefined;
  const data = outside ?? raw ?? typedBytes(cursor, typed, { dtype, byteLength });
  const size = data instanceof Uint8Array ? data.length : data.byteLength;
  if (size !== byteLength) {
    throw new ModelFileError("corrupt", `the tensor '${name}' has ${size} bytes instead of ${byteLength}`);
  }
  return { name, dtype, dims, data };
}

/** float_data, int32_data, int64_data, double_data, uint64_data of onnx.proto. */
const TYPED_FIELDS: ReadonlySet<number> = new Set([4, 5, 7, 10, 11]);

function externalEntry(cursor: OnnxCursor, message: WireField, entries: Map<string, string>): void {
  let [key, value] = ["", ""];
  cursor.eachField("entry", message, (field) => {
    if (field.number === 1) key = cursor.name(field);
    else if (field.number === 2) value = cursor.exactName(field);
  });
  entries.set(key, value);
}

function externalData(entries: ReadonlyMap<string, string>, byteLength: number): ExternalData | undefined {
  const location = entries.get("location");
  if (location === undefined) return undefined;
  const offset = Number(entries.get("offset") ?? "0");
  const length = Number(entries.get("length") ?? String(byteLength));
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length)) {
    throw new ModelFileError("corrupt", "external data has an offset or length that is not a number");
  }
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(location)) {
    throw new ModelFileError(
      "unsupported",
      "external data must lie in a file beside the model, named without folders",
    );
  }
  return { location, offset, byteLength: length };
}

/** The bytes of a tensor that is stored as numbers in typed fields; small types sit one per int32. */
function typedBytes(
  cursor: OnnxCursor,
  fields: readonly WireField[],
  { dtype, byteLength }: { readonly dtype: DType; readonly byteLength: number },
): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  const width = BYTE_WIDTHS[dtype];
  let at = 0;
  for (const field of fields) {
    const isFixed = field.number === 4 || field.number === 10;
    const isPacked = field.wireType === 2;
    if (isFixed && isPacked) {
      const part = cursor.payload(field);
      if (at + part.length > byteLength) throw tooMany(byteLength);
      bytes.set(part, at);
      at += part.length;
      continue;
    }
    const put = (value: bigint): void => {
      if (at + width > byteLength) throw tooMany(byteLength);
      for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
      at += width;
    };
    if (isFixed) put(field.value);
    else cursor.eachInt(field, put);
  }
  return at === byteLength ? bytes : bytes.subarray(0, at);
}

function tooMany(byteLength: number): ModelFileError {
  return new ModelFileError("corrupt", `a tensor holds more than its ${byteLength} bytes`);
}
