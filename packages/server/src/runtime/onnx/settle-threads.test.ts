import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Tensor as OrtTensor } from "onnxruntime-node";
import type { Signature } from "../../base/signature.ts";
import type { EngineSession } from "./engine-session.ts";
import { OnnxSession } from "./onnx-session.ts";
import { settleThreads } from "./settle-threads.ts";

const signature: Signature = {
  inputs: [{ name: "x", datatype: "FP32", dims: [1] }],
  outputs: [{ name: "y", datatype: "FP32", dims: [1] }],
  batching: { kind: "off", reason: "it is a test" },
};
const PORT = { isTensor: true, type: "float32", shape: [1] } as const;
const INPUTS = [{ datatype: "FP32", shape: [1], bytes: new Uint8Array(4) }] as const;

/** Sessions whose runs take as long as they say, on a clock of their own. */
async function settled(manyMs: number, singleMs: number) {
  let nowMs = 0;
  const released: string[] = [];
  const opened: number[] = [];
  const engine = (name: string, takesMs: number): EngineSession => ({
    inputMetadata: [{ ...PORT, name: "x" }],
    outputMetadata: [{ ...PORT, name: "y" }],
    run: () => {
      nowMs += takesMs;
      return { y: new OrtTensor("float32", new Float32Array(1), [1]) };
    },
    endProfiling: () => {},
    release: async () => void released.push(name),
  });
  const many = new OnnxSession(engine("many", manyMs), { signature, outputNames: ["y"] });
  const reopen = async (threads: number): Promise<EngineSession> => {
    opened.push(threads);
    return engine("single", singleMs);
  };
  const session = await settleThreads({
    session: many,
    opened: { reopen, signature, outputNames: ["y"] },
    inputs: INPUTS,
    nowMs: () => nowMs,
  });
  return { isMany: session === many, released, opened };
}

describe("settleThreads()", () => {
  test("a short run that more threads do not help gets one, and the other session is released", async () => {
    assert.deepEqual(await settled(0.1, 0.11), { isMany: false, released: ["many"], opened: [1] });
  });

  test("a short run that gains keeps its threads", async () => {
    assert.deepEqual(await settled(0.1, 0.13), { isMany: true, released: ["single"], opened: [1] });
  });

  test("a long run is not tried", async () => {
    assert.deepEqual(await settled(0.51, 0.51), { isMany: true, released: [], opened: [] });
  });
});
