import { availableParallelism } from "node:os";
import { digitsTensor } from "../digits.ts";
import type { BodyTensor } from "../infer-body.ts";

/** A model and the one request that is sent to it. */
export interface Workload {
  readonly name: string;
  /** The name of the model in `scripts/python/bench_models.py`. */
  readonly model: string;
  readonly form: "json" | "binary";
  readonly inputs: readonly BodyTensor[];
  /** Which of the outputs is asked for, alone. */
  readonly outputIndex: number;
  readonly maxBatchSize: number;
  /** Of a peer that makes no batches; the others have one process with the model. */
  readonly processes: number;
  /** Of the engine in each of them. */
  readonly threads: number;
  readonly inFlight: readonly number[];
  /** Of one round. */
  readonly seconds: number;
}

/** One model in the forms that the servers read. */
export interface ModelFiles {
  readonly program: string;
  readonly onnx: string;
  readonly torchScript: string;
  /** The name of the workload's output. */
  readonly outputName: string;
}

const TOKENS = 128;
/** One row of a small model is over before a second thread is awake. */
const SMALL = { processes: availableParallelism(), threads: 1 };
const LARGE = { processes: 1, threads: availableParallelism() };

export const WORKLOADS: readonly Workload[] = [
  {
    name: "digits, JSON",
    model: "digits",
    form: "json",
    inputs: [{ name: "input", datatype: "FP32", shape: [1, 1, 8, 8], bytes: digitsTensor() }],
    outputIndex: 0,
    maxBatchSize: 32,
    ...SMALL,
    inFlight: [1, 32],
    seconds: 2,
  },
  {
    name: "ResNet-50, binary",
    model: "resnet50",
    form: "binary",
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 3, 224, 224], bytes: image(3 * 224 * 224) }],
    outputIndex: 0,
    maxBatchSize: 8,
    ...LARGE,
    inFlight: [1, 8],
    seconds: 6,
  },
  {
    name: "MiniLM-size encoder, JSON",
    model: "minilm",
    form: "json",
    inputs: [
      { name: "input_ids", datatype: "INT64", shape: [1, TOKENS], bytes: tokens((i) => 1000 + 31 * i) },
      { name: "attention_mask", datatype: "INT64", shape: [1, TOKENS], bytes: tokens(() => 1) },
    ],
    outputIndex: 1,
    maxBatchSize: 8,
    ...LARGE,
    inFlight: [1, 8],
    seconds: 6,
  },
];

/** `1 thread`, `2 threads`. */
export function threadsText(count: number): string {
  return count === 1 ? "1 thread" : `${count} threads`;
}

function image(count: number): Uint8Array {
  return new Uint8Array(Float32Array.from({ length: count }, (_, i) => (i % 251) / 251).buffer);
}

function tokens(tokenAt: (index: number) => number): Uint8Array {
  return new Uint8Array(BigInt64Array.from({ length: TOKENS }, (_, i) => BigInt(tokenAt(i))).buffer);
}
