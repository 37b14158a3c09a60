import { ModelFileError } from "../errors.ts";
import type { Initializer, ReadExternal } from "../onnx/model.ts";

/** An initializer's bytes. */
export function initializerBytes({ data }: Initializer, read: ReadExternal): Uint8Array {
  return data instanceof Uint8Array ? data : read(data);
}

/** The values of a float32 initializer, as a copy. */
export function weightFloats(weight: Initializer, read: ReadExternal): Float32Array {
  const bytes = initializerBytes(weight, read);
  if (weight.dtype !== "float32" || bytes.length % 4 !== 0) {
    throw new ModelFileError("corrupt", `the weight '${weight.name}' is not a float32 tensor`);
  }
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
