import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { openZip } from "../../archive/zip.ts";
import { nodePlatform, openFileSource } from "../../node.ts";
import { inputFault } from "../../onnx/input-fault.ts";
import { translate } from "../../translate/translate.ts";

/** A program of a fixture pack, and a way to run it on 0, 1, 2, … with one element replaced. */
async function open(t: TestContext, pack: string, name: string) {
  const path = fileURLToPath(new URL(`../../../fixtures/${pack}.zip`, import.meta.url));
  const source = openFileSource(path);
  t.after(() => source.close());
  const program = openZip(source, nodePlatform).open(`${name}.pt2`);
  const { model, inputs, outputs } = translate(program, nodePlatform, { weights: "embedded" });
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  t.after(() => session.release());
  return async (sizes: readonly number[], at: number, value: number): Promise<readonly number[]> => {
    const count = sizes.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: count }, (_, i) => (i === at ? value : i));
    const results = await session.run({ [inputs[0]!.name]: new Tensor("float32", data, sizes) });
    return [...(results[outputs[0]!.name]!.data as Float32Array)];
  };
}

test("behind a convolution, where NaN would be lost, an input with NaN is refused in words and infinities are not", async (t) => {
  const run = await open(t, "nothing", "convolution");
  const sizes = [1, 1, 8, 8];
  assert.ok((await run(sizes, 5, 1)).every(Number.isFinite));
  assert.ok((await run(sizes, 5, Number.POSITIVE_INFINITY)).length > 0);
  await assert.rejects(run(sizes, 5, Number.NaN), (error: Error) => {
    assert.match(inputFault(error.message) ?? "", /^aten\.max_pool2d takes the largest .* NaN/);
    return true;
  });
});
