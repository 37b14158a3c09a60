import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { openZip } from "../../archive/zip.ts";
import { nodePlatform, openFileSource } from "../../node.ts";
import { translate } from "../../translate/translate.ts";

const pack = fileURLToPath(new URL("../../../fixtures/pooling.zip", import.meta.url));

/** A difference that is known and accepted (docs/dev/decisions.md): PyTorch answers NaN for a window with NaN in it. */
test("NaN inside a window of max pooling does not reach the result, the other windows are right", async (t) => {
  const source = openFileSource(pack);
  t.after(() => source.close());
  const program = openZip(source, nodePlatform).open("max_places.pt2");
  const { model, inputs, outputs } = translate(program, nodePlatform, { weights: "embedded" });
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  t.after(() => session.release());
  const feeds = Object.fromEntries(
    inputs.map(({ name, dims }) => {
      const sizes = dims.map(Number);
      const count = sizes.reduce((a, b) => a * b, 1);
      return [
        name,
        new Tensor(
          "float32",
          Float32Array.from({ length: count }, (_, i) => i),
          sizes,
        ),
      ];
    }),
  );
  const clean = await session.run(feeds);
  // [2, 3, 11] pooled by 3 with stride 2 and padding 1: element 2 of a row lies in the middle of no window but ends one and begins one.
  (feeds[inputs[0]!.name]!.data as Float32Array)[2] = Number.NaN;
  const disturbed = await session.run(feeds);
  const name = outputs[0]!.name;
  const [before, after] = [clean[name]!.data as Float32Array, disturbed[name]!.data as Float32Array];
  assert.deepEqual([...before.slice(0, 3)], [1, 3, 5]);
  assert.equal(after[1], 3);
  assert.deepEqual(after.slice(2), before.slice(2));
});
