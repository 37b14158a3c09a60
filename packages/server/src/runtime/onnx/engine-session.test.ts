import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Tensor } from "onnxruntime-node";
import { createEngineSession, nativeBinding } from "./engine-session.ts";
import { tinyOnnx } from "./tiny-onnx.kit.ts";

const MODEL = tinyOnnx({
  inputs: [{ name: "x", type: "FP32", dims: ["n", 2] }],
  outputs: [{ name: "y", type: "FP32", dims: ["n", 2] }],
  nodes: [{ op: "Neg", inputs: ["x"], outputs: ["y"] }],
});
const FEEDS = { x: new Tensor("float32", Float32Array.of(1, 2), [1, 2]) };

describe("createEngineSession()", () => {
  test("the pinned ONNX Runtime has the binding whose run is synchronous", async () => {
    assert.ok(nativeBinding());
    const session = await createEngineSession(MODEL, {});
    const results = session.run(FEEDS, { y: null });
    assert.ok(!(results instanceof Promise));
    assert.deepEqual([...(results["y"]!.data as Float32Array)], [-1, -2]);
  });

  test("computes into the tensor it is given", async () => {
    const session = await createEngineSession(MODEL, {});
    const target = new Float32Array(2);
    await session.run(FEEDS, { y: new Tensor("float32", target, [1, 2]) });
    assert.deepEqual([...target], [-1, -2]);
  });

  test("without the binding, the published way gives the same", async () => {
    const native = await createEngineSession(MODEL, {});
    const session = await createEngineSession(MODEL, {}, () => undefined);
    assert.deepEqual(session.inputMetadata, native.inputMetadata);
    assert.deepEqual(session.outputMetadata, native.outputMetadata);
    const results = session.run(FEEDS, { y: null });
    assert.ok(results instanceof Promise);
    assert.deepEqual([...((await results)["y"]!.data as Float32Array)], [-1, -2]);
    await session.release();
  });

  test("what cannot be opened rejects, both ways", async () => {
    for (const find of [nativeBinding, () => undefined])
      await assert.rejects(createEngineSession(new Uint8Array(8), {}, find), /./);
  });
});
