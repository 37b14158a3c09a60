import { int32, type OnnxCursor } from "./onnx-cursor.ts";
import type { WireField } from "./wire-cursor.ts";
import { isMessage } from "./wire-schema.ts";

type WireDim = number | string | undefined;

/** A ValueInfoProto as it was read. */
export interface WireValueInfo {
  readonly name: string;
  /** TensorProto.DataType; 0 when the value is not a tensor. */
  readonly elementType: number;
  /** Undefined when no shape was written; an undefined size is an unknown one. */
  readonly dims: readonly WireDim[] | undefined;
}

/** Reads a ValueInfoProto: its name, and of a tensor the element type and the shape. Throws ModelFileError. */
export function readValueInfo(cursor: OnnxCursor, message: WireField): WireValueInfo {
  let name = "";
  let elementType = 0;
  let dims: WireDim[] | undefined;
  const readTensor = (field: WireField): void =>
    cursor.eachField("tensorType", field, (part) => {
      if (part.number === 1) elementType = int32(part);
      else if (part.number === 2) dims = [...(dims ?? []), ...readShape(cursor, part)];
    });
  const readType = (field: WireField): void =>
    cursor.eachField("type", field, (kind, type) => {
      if (kind.number === 1) readTensor(kind);
      else if (isMessage(type)) {
        // The kinds of a type exclude each other: the last one counts.
        [elementType, dims] = [0, undefined];
        cursor.skim(type, kind);
      }
    });
  cursor.eachField("valueInfo", message, (field, type) => {
    if (field.number === 1) name = cursor.name(field);
    else if (field.number === 2) readType(field);
    else if (isMessage(type)) cursor.skim(type, field);
  });
  return { name, elementType, dims };
}

function readShape(cursor: OnnxCursor, message: WireField): WireDim[] {
  const dims: WireDim[] = [];
  cursor.eachField("shape", message, (field) => {
    let dim: WireDim;
    cursor.eachField("dimension", field, (part) => {
      if (part.number === 1) dim = Number(BigInt.asIntN(64, part.value));
      else if (part.number === 2) dim = cursor.name(part);
    });
    dims.push(dim);
  });
  return dims;
}
