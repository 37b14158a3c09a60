import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Tensor as OrtTensor } from "onnxruntime-node";
import type { Signature } from "../../base/signature.ts";
import type { EngineSession } from "./engine-session.ts";
import { warmUp } from "./warm-up.ts";

const dims = [{ symbol: "n", min: 1, max: undefined }];
const signature: Signature = {
  inputs: [{ name: "x", datatype: "FP32", dims }],
  outputs: [{ name: "y", datatype: "FP32", dims }],
  batching: { kind: "on", symbol: "n", maxRows: undefined },
};
const PORT = { isTensor: true, type: "float32", shape: ["n"] } as const;

/** The rows that a model is warmed up with whose every row takes so long, on a clock of its own, and those left for later. */
async function warmed(rowMs: number): Promise<{ runs: number[]; later: number | undefined }> {
  const runs: number[] = [];
  let nowMs = 0;
  const session: EngineSession = {
    inputMetadata: [{ ...PORT, name: "x" }],
    outputMetadata: [{ ...PORT, name: "y" }],
    run: ({ x }) => {
      const rows = x!.dims[0]!;
      runs.push(rows);
      nowMs += rows * rowMs;
      return { y: new OrtTensor("float32", (x!.data as Float32Array).slice(), [rows]) };
    },
    endProfiling: () => {},
    release: async () => {},
  };
  const opened = {
    session,
    reopen: async () => session,
    signature,
    rowMixing: undefined,
    outputNames: ["y"],
    platform: "test",
    runtimeReason: "test",
    parameterCount: 0,
    weightBytes: 0,
    warnings: [],
    loadMs: {},
    isCopied: false,
    sampleInputs: undefined,
  };
  const { later } = await warmUp(opened, { warmupRuns: 1, threadsPerInstance: 1 }, () => nowMs);
  return { runs, later: later?.[0]?.shape[0] };
}

describe("warmUp()", () => {
  test("a quick model runs a typical batch before it is ready", async () => {
    assert.deepEqual(await warmed(10), { runs: [1, 8], later: undefined });
  });

  test("a slow one runs just enough to see that rows are independent, and the batch when it is idle", async () => {
    assert.deepEqual(await warmed(11), { runs: [1, 2], later: 8 });
    assert.deepEqual(await warmed(100), { runs: [1, 2], later: 8 });
  });

  test("a very slow one never runs a batch that nobody asked for", async () => {
    assert.deepEqual(await warmed(101), { runs: [1, 2], later: undefined });
  });
});
