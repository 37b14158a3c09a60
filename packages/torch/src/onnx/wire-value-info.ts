import type { WireCursor, WireField } from "./wire-cursor.ts";

const MAX_NAME_BYTES = 64 * 1024;

/** A ValueInfoProto as it was read. */
export interface WireValueInfo {
  readonly name: string;
  /** TensorProto.DataType; 0 when the value is no tensor. */
  readonly elementType: number;
  /** Undefined when no shape was written; an undefined size is an unknown one. */
  readonly dims: readonly (number | string | undefined)[] | undefined;
}

/** Reads a ValueInfoProto: name = 1, type = 2, of which tensor_type = 1 with elem_type = 1 and shape = 2. Throws ModelFileError. */
export function readValueInfo(cursor: WireCursor, message: WireField): WireValueInfo {
  let name = "";
  let elementType = 0;
  let dims: readonly (number | string | undefined)[] | undefined;
  cursor.eachFieldIn(message, (field) => {
    if (field.number === 1) name = cursor.text(field, MAX_NAME_BYTES);
    else if (field.number === 2) {
      cursor.eachFieldIn(field, (type) => {
        if (type.number !== 1) return;
        cursor.eachFieldIn(type, (tensor) => {
          if (tensor.number === 1) elementType = Number(tensor.value);
          else if (tensor.number === 2) dims = readShape(cursor, tensor);
        });
      });
    }
  });
  return { name, elementType, dims };
}

function readShape(cursor: WireCursor, message: WireField): (number | string | undefined)[] {
  const dims: (number | string | undefined)[] = [];
  cursor.eachFieldIn(message, (field) => {
    if (field.number !== 1) return;
    let dim: number | string | undefined;
    cursor.eachFieldIn(field, (part) => {
      if (part.number === 1) dim = Number(BigInt.asIntN(64, part.value));
      else if (part.number === 2) dim = cursor.text(part, MAX_NAME_BYTES);
    });
    dims.push(dim);
  });
  return dims;
}
