import { existsSync, readFileSync } from "node:fs";
import { noteLoad, noteRun } from "../chaos/journal.ts";
import { rowId } from "../chaos/row.ts";
import {
  type HostedModel,
  type HostedResult,
  hostModel,
  type Signature,
  type Tensor,
} from "../internals/worker.ts";
import { type CalibratedModel, decodeCalibratedModel, POISON } from "./calibrated-model.ts";

const CELL = new Int32Array(new SharedArrayBuffer(4));
const leaked: Uint8Array[] = [];

/** Blocks the thread, as a native run does. */
function block(ms: number, isBusy: boolean): void {
  if (ms <= 0) return;
  if (!isBusy) {
    Atomics.wait(CELL, 0, 0, ms);
    return;
  }
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

function misbehave(kind: number): void {
  switch (kind) {
    case POISON.throw:
      throw new Error("poison");
    case POISON.segfault:
      process.kill(process.pid, "SIGSEGV");
      block(60_000, false);
      break;
    case POISON.abort:
      process.abort();
      break;
    case POISON.hang:
      for (;;) block(60_000, false);
    case POISON.allocate:
      for (;;) leaked.push(new Uint8Array(16 * 1024 * 1024).fill(1));
    case POISON.exit:
      process.exit(7);
  }
}

function signatureOf(model: CalibratedModel): Signature {
  const batch = model.isBatching ? { symbol: "batch", min: 1, max: undefined } : 1;
  return {
    inputs: [{ name: "x", datatype: "UINT8", dims: [batch, model.width] }],
    outputs: [
      { name: "y", datatype: "UINT8", dims: [batch, model.answerWidth || model.width] },
      { name: "tag", datatype: "INT64", dims: [batch, 1] },
    ],
    batching: model.isBatching
      ? { kind: "on", symbol: "batch", maxRows: undefined }
      : { kind: "off", reason: "the model says so" },
  };
}

function run(model: CalibratedModel, x: Tensor): HostedResult {
  const rows = x.shape[0]!;
  if (model.journal !== "") {
    noteRun(
      model.journal,
      Array.from({ length: rows }, (_, row) => rowId(x.bytes, row * model.width)),
    );
  }
  let isWrong = false;
  for (let row = 0; row < rows; row++) {
    const first = x.bytes[row * model.width]!;
    if (first === POISON.wrongShape) isWrong = true;
    misbehave(first);
  }
  const startMs = performance.now();
  block(model.sleepMs + rows * model.perRowMs, model.isBusy);
  if (model.leakBytes > 0) leaked.push(new Uint8Array(model.leakBytes).fill(1));
  const tags = new Uint8Array(new BigInt64Array(rows).fill(BigInt(model.tag)).buffer);
  const y = isWrong
    ? { shape: [1], chunks: [x.bytes.subarray(0, 1)] }
    : model.answerWidth > 0
      ? widened(model, x)
      : { shape: x.shape, chunks: [x.bytes] };
  return {
    outputs: [
      { datatype: "UINT8", ...y },
      { datatype: "INT64", shape: [rows, 1], chunks: [tags] },
    ],
    computeMs: performance.now() - startMs,
  };
}

function widened(
  { width, answerWidth }: CalibratedModel,
  x: Tensor,
): { shape: number[]; chunks: Uint8Array[] } {
  const rows = x.shape[0]!;
  const chunks = Array.from({ length: rows }, (_, row) =>
    Buffer.alloc(answerWidth, x.bytes.subarray(row * width, (row + 1) * width)),
  );
  return { shape: [rows, answerWidth], chunks };
}

hostModel(async ({ spec }, progress): Promise<HostedModel> => {
  progress("session");
  const model = decodeCalibratedModel(readFileSync(spec.file));
  block(model.loadMs, false);
  if (model.diesAtLoad || (model.fuse !== "" && existsSync(model.fuse))) process.exit(9);
  if (model.journal !== "") noteLoad(model.journal);
  return {
    description: {
      signature: signatureOf(model),
      platform: "calibrated",
      runtime: "onnx",
      runtimeReason: "it is a test",
      parameterCount: 0,
      weightBytes: 0,
      digest: `calibrated-${JSON.stringify(model)}`,
      warnings: [],
      loadMs: { session: model.loadMs },
    },
    files: [],
    run: async ([x]) => run(model, x!),
  };
});
