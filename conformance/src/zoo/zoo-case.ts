import { readFileSync } from "node:fs";
import type { DType } from "@sconce/torch";
import { Tensor } from "onnxruntime-node";

/** A tensor of a zoo model: its place in `io.bin`. */
export interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** What one run feeds and what PyTorch answered. */
export interface ZooCase {
  readonly label: string;
  readonly inputs: Readonly<Record<string, StoredTensor>>;
  readonly outputs: readonly StoredTensor[];
}

/** What scripts/python/make_zoo.py says about a model. */
export interface ZooModel {
  readonly name: string;
  readonly family: string;
  readonly cases: readonly ZooCase[];
  /** Why PyTorch itself could not export, trace or script it. */
  readonly exportError?: string;
  readonly traceError?: string;
  readonly scriptError?: string;
  /** What the scripted program takes, as model.yaml would say it. */
  readonly scriptInputs?: Readonly<Record<string, string>>;
}

export function readZooModel(folder: string): { readonly model: ZooModel; readonly blob: Uint8Array } {
  const model = JSON.parse(readFileSync(`${folder}/meta.json`, "utf8")) as ZooModel;
  return { model, blob: readFileSync(`${folder}/io.bin`) };
}

export function bytesOf({ offset, length }: StoredTensor, blob: Uint8Array): Uint8Array {
  return Uint8Array.from(blob.subarray(offset, offset + length));
}

/** The tensor as ONNX Runtime takes it. */
export function feedOf(stored: StoredTensor, blob: Uint8Array): Tensor {
  const { buffer } = bytesOf(stored, blob);
  const dims = [...stored.shape];
  switch (stored.dtype) {
    case "float32":
      return new Tensor("float32", new Float32Array(buffer), dims);
    case "int64":
      return new Tensor("int64", new BigInt64Array(buffer), dims);
    case "bool":
      return new Tensor("bool", new Uint8Array(buffer), dims);
    default:
      throw new Error(`the zoo feeds no ${stored.dtype}`);
  }
}
