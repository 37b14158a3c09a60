import type { DType } from "@sconce/torch";
import type { Tensor as OrtTensor } from "onnxruntime-node";
import type { Datatype } from "../../base/tensor.ts";

/**
 * The one place where PyTorch's, ONNX Runtime's and the protocol's names of element types meet. ONNX Runtime's JavaScript binding knows
 * neither bfloat16 nor complex numbers: programs that give them are translated with a cast at the end.
 */
const TABLE: readonly (readonly [DType | undefined, OrtTensor.Type | undefined, Datatype])[] = [
  ["bool", "bool", "BOOL"],
  ["uint8", "uint8", "UINT8"],
  ["uint16", "uint16", "UINT16"],
  ["uint32", "uint32", "UINT32"],
  ["uint64", "uint64", "UINT64"],
  ["int8", "int8", "INT8"],
  ["int16", "int16", "INT16"],
  ["int32", "int32", "INT32"],
  ["int64", "int64", "INT64"],
  ["float16", "float16", "FP16"],
  ["bfloat16", undefined, "BF16"],
  ["float32", "float32", "FP32"],
  ["float64", "float64", "FP64"],
  [undefined, "string", "BYTES"],
];

const FROM_TORCH: ReadonlyMap<DType | undefined, Datatype> = new Map(
  TABLE.map(([torch, , own]) => [torch, own]),
);
const TO_TORCH: ReadonlyMap<Datatype, DType | undefined> = new Map(
  TABLE.map(([torch, , own]) => [own, torch]),
);
const FROM_ORT: ReadonlyMap<string | undefined, Datatype> = new Map(TABLE.map(([, ort, own]) => [ort, own]));
const TO_ORT: ReadonlyMap<Datatype, OrtTensor.Type | undefined> = new Map(
  TABLE.map(([, ort, own]) => [own, ort]),
);

/** The protocol's name of a PyTorch dtype; undefined where the protocol has none (complex, float8). */
export function datatypeOfTorch(dtype: DType): Datatype | undefined {
  return FROM_TORCH.get(dtype);
}

/** PyTorch's name of a datatype; undefined for BYTES. */
export function torchOfDatatype(datatype: Datatype): DType | undefined {
  return TO_TORCH.get(datatype);
}

/** The protocol's name of an ONNX Runtime type; undefined where the protocol has none (4-bit integers). */
export function datatypeOfOrt(type: string): Datatype | undefined {
  return FROM_ORT.get(type);
}

/** ONNX Runtime's name of a datatype; undefined for BF16, which its binding cannot pass. */
export function ortTypeOf(datatype: Datatype): OrtTensor.Type | undefined {
  return TO_ORT.get(datatype);
}
