import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { WireCursor } from "../onnx/wire-cursor.ts";
import { ONNX_FIELDS } from "../onnx/wire-schema.ts";

/** A model with thousands of functions and notes has that many fields of its own; more are not looked at. */
const MAX_FIELDS = 100_000;
/** Core ML's kinds of model begin there. */
const FIRST_COREML_KIND = 200;

/**
 * Which protobuf message a file is, by the fields it has at the top, in any order; undefined: it is none that is known. A file that is
 * cut off counts as what its beginning says. Throws ModelFileError "unreadable" only.
 */
export function protobufFormat(source: ByteSource): "onnx" | "savedmodel" | "coreml" | undefined {
  const wireTypes = new Map<number, number>();
  let isWhole = true;
  let firstPayload = 0;
  try {
    const cursor = new WireCursor(source, MAX_FIELDS);
    cursor.eachField(0, source.byteLength, (field) => {
      wireTypes.set(field.number, field.wireType);
      if (field.number === 2 && field.length > 0) firstPayload = source.read(field.offset, 1)[0]!;
    });
  } catch (error) {
    if (!(error instanceof ModelFileError) || error.kind === "unreadable") throw error;
    isWhole = false;
  }
  const hasVersion = wireTypes.get(1) === 0;
  if (hasVersion && wireTypes.get(7) === 2) return "onnx";
  const numbers = [...wireTypes.keys()];
  if (isWhole && hasVersion && numbers.some((number) => number >= FIRST_COREML_KIND)) return "coreml";
  // SavedModel: a version, and graphs that begin with a message of their own.
  if (isWhole && hasVersion && firstPayload === 0x0a && numbers.every((number) => number <= 2))
    return "savedmodel";
  return beginsAsOnnx(source) ? "onnx" : undefined;
}

/** Exporters write ir_version, a small number, and then another field of the model. */
function beginsAsOnnx(source: ByteSource): boolean {
  if (source.byteLength < 3) return false;
  const [first, version, tag] = source.read(0, 3);
  return (
    first === 0x08 && version! > 0 && version! <= 64 && (tag! & 7) === 2 && tag! >> 3 in ONNX_FIELDS.model
  );
}
