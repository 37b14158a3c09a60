import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { openZip } from "../../archive/zip.ts";
import { nodePlatform, openFileSource } from "../../node.ts";
import { translate } from "../../translate/translate.ts";

const pack = fileURLToPath(new URL("../../../fixtures/corners.zip", import.meta.url));

for (const [dtype, least] of [
  ["int32", Int32Array.of(-(2 ** 31), 7, 7, 7)],
  ["int64", BigInt64Array.of(-(2n ** 63n), 7n, 7n, 7n)],
] as const) {
  test(`the least ${dtype} divided by -1 wraps, and ends no process`, async (t) => {
    const source = openFileSource(pack);
    t.after(() => source.close());
    const program = openZip(source, nodePlatform).open(`quotients_${dtype}.pt2`);
    const { model, inputs, outputs } = translate(program, nodePlatform, { weights: "embedded" });
    const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
    t.after(() => session.release());
    const divisor = dtype === "int32" ? Int32Array.of(-1, -1, 2, 3) : BigInt64Array.of(-1n, -1n, 2n, 3n);
    const results = await session.run({
      [inputs[0]!.name]: new Tensor(dtype, least, [4]),
      [inputs[1]!.name]: new Tensor(dtype, divisor, [4]),
    });
    const found = outputs.slice(0, 4).map(({ name }) => [...results[name]!.data].map(String).join());
    const first = String(least[0]);
    assert.deepEqual(found, [`${first},-7,3,2`, "0,0,1,1", "0,0,1,1", `${first},-7,3,2`]);
  });
}
