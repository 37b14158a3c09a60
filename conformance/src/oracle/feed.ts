import { Tensor as OrtTensor } from "onnxruntime-node";
import { valuesOf } from "./compare.ts";
import type { FixtureTensor } from "./fixture-pack.ts";

/** A fixture's tensor in the type the session wants: as it is, or widened to float32. */
export function feed(tensor: FixtureTensor, type: string): OrtTensor {
  const dims = [...tensor.shape];
  if (type === "float32" && tensor.dtype !== "float32") {
    const values = valuesOf(tensor);
    if (values === undefined) throw new Error(`the session wants float32 for ${tensor.dtype}`);
    return new OrtTensor("float32", Float32Array.from(values as ArrayLike<number>), dims);
  }
  if (type === "float16") return new OrtTensor("float16", new Uint16Array(tensor.bytes.slice().buffer), dims);
  const values = valuesOf(tensor);
  if (values === undefined || type !== tensor.dtype)
    throw new Error(`the session wants ${type} for ${tensor.dtype}`);
  return new OrtTensor(type as "float32", values as Float32Array, dims);
}
