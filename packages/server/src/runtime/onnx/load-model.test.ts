import assert from "node:assert/strict";
import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedModel } from "../model-host.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import type { LoadOptions } from "../runtime.ts";
import { loadModel } from "./load-model.ts";
import { floatWeight, ONNX_TYPE, type TinyModel, tinyOnnx, unary } from "./tiny-onnx.kit.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

function load(bytes: Uint8Array, options: Partial<LoadOptions> = {}): Promise<HostedModel> {
  const file = join(folder, `m${files++}.onnx`);
  writeFileSync(file, bytes);
  return loadPath(file, options);
}

function loadPath(file: string, options: Partial<LoadOptions> = {}): Promise<HostedModel> {
  const spec = { name: "m", version: "1", file, root: dirname(file), options: { ...PLAIN_LOAD, ...options } };
  return loadModel({ spec, wantsDigest: true }, () => {});
}

function tensor(datatype: Tensor["datatype"], shape: readonly number[], bytes: Uint8Array): Tensor {
  return { datatype, shape, bytes };
}

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const rejected = { code: "failed_precondition", reason: "model_refused" };

const CARRIED = (Object.keys(ONNX_TYPE) as (keyof typeof ONNX_TYPE)[]).filter((type) => type !== "BF16");

describe("loadModel()", () => {
  for (const type of CARRIED) {
    test(`carries ${type} there and back`, async () => {
      const model = await load(
        unary("Identity", { name: "x", type, dims: ["n", 2] }, { type, dims: ["n", 2] }),
      );
      assert.deepEqual(model.description.signature.inputs[0], {
        name: "x",
        datatype: type,
        dims: [{ symbol: "n", min: 0, max: undefined }, 2],
      });
      const bytes =
        type === "BYTES" ? Buffer.from("\x02\0\0\0h\xc3\x01\0\0\0-", "latin1") : new Uint8Array(16).fill(1);
      const text = Buffer.from("\x03\0\0\0h\u00e9\0\0\0\0", "utf8");
      const width =
        { FP64: 8, INT64: 8, UINT64: 8, FP32: 4, INT32: 4, UINT32: 4, FP16: 2, INT16: 2, UINT16: 2 }[
          type as string
        ] ?? 1;
      const sent = type === "BYTES" ? text : bytes.subarray(0, 2 * width);
      const unaligned = new Uint8Array(sent.byteLength + 1);
      unaligned.set(sent, 1);
      for (const input of [sent, unaligned.subarray(1)]) {
        const { outputs } = await model.run([tensor(type, [1, 2], input)]);
        assert.deepEqual([outputs[0]!.datatype, outputs[0]!.shape], [type, [1, 2]]);
        assert.equal(Buffer.compare(Buffer.concat(outputs[0]!.chunks), sent), 0);
      }
    });
  }

  test("blames the inputs when ONNX Runtime does, without its own texts", async () => {
    const gather = await load(
      tinyOnnx({
        inputs: [{ name: "i", type: "INT64", dims: ["n"] }],
        outputs: [{ name: "y", type: "FP32", dims: ["n"] }],
        nodes: [{ op: "Gather", inputs: ["w", "i"], outputs: ["y"] }],
        weights: [floatWeight("w", [3], Float32Array.from([5, 6, 7]))],
      }),
    );
    const index = (value: bigint): Tensor =>
      tensor("INT64", [1], new Uint8Array(BigInt64Array.from([value]).buffer));
    const { outputs } = await gather.run([index(-1n)]);
    assert.deepEqual([...new Float32Array(outputs[0]!.chunks[0]!.slice().buffer)], [7]);
    await assert.rejects(async () => gather.run([index(9n)]), {
      code: "invalid_argument",
      message: "an index in the inputs is 9; the model takes -3 to 2",
    });
    const fixed = await load(
      unary("Relu", { name: "x", type: "FP32", dims: ["n", 4] }, { type: "FP32", dims: ["n", 4] }),
    );
    await assert.rejects(async () => fixed.run([tensor("FP32", [1, 3], floats(1, 2, 3))]), {
      code: "invalid_argument",
      message: "dimension 1 of input x is 3; the model takes 4",
    });
    await assert.rejects(async () => fixed.run([tensor("FP32", [4], floats(1, 2, 3, 4))]), {
      code: "invalid_argument",
    });
    const add: TinyModel = {
      inputs: [
        { name: "a", type: "FP32", dims: ["n"] },
        { name: "b", type: "FP32", dims: ["m"] },
      ],
      outputs: [{ name: "y", type: "FP32", dims: ["k"] }],
      nodes: [{ op: "Add", inputs: ["a", "b"], outputs: ["y"] }],
    };
    const sum = await load(tinyOnnx(add));
    await assert.rejects(
      async () => sum.run([tensor("FP32", [2], floats(1, 2)), tensor("FP32", [3], floats(1, 2, 3))]),
      {
        code: "invalid_argument",
        reason: "invalid_input",
        message:
          "the sizes of the inputs do not go together: the model meets 2 and 3 where it needs one size",
      },
    );
  });

  test("counts weights, digests the file, and says how long it took", async () => {
    const { description } = await load(weighted(floatWeight("w", [2, 3], new Float32Array(6))));
    assert.deepEqual([description.parameterCount, description.weightBytes], [6, 24]);
    assert.match(description.digest, /^[0-9a-f]{64}$/);
    assert.deepEqual(Object.keys(description.loadMs), ["session", "warmup"]);
  });

  test("external weights must be plain files beside the model", async () => {
    writeFileSync(join(folder, "w.bin"), floats(1, 2, 3, 4, 5, 6));
    const model = await load(weighted(floatWeight("w", [2, 3], { external: "w.bin" })));
    const { outputs } = await model.run([tensor("FP32", [1, 3], floats(1, 1, 1))]);
    assert.deepEqual([...new Float32Array(outputs[0]!.chunks[0]!.slice().buffer)], [2, 3, 4, 5, 6, 7]);
    symlinkSync("/etc/hostname", join(folder, "soft"));
    linkSync(join(folder, "w.bin"), join(folder, "hard"));
    for (const external of [
      "/etc/hostname",
      "../x",
      "a/b",
      "soft",
      "hard",
      "w.bin",
      "absent",
      "..",
      ".",
      "",
    ]) {
      await assert.rejects(load(weighted(floatWeight("w", [2, 3], { external }))), rejected, external);
    }
  });

  test("files that are not programs are rejected with what to do", async () => {
    const pickle = Buffer.from([0x80, 0x02, 0x8a, 0x0a, 0x6c]);
    const safetensors = Buffer.from("\x02\0\0\0\0\0\0\0{}", "latin1");
    for (const bytes of [pickle, safetensors]) await assert.rejects(load(bytes), { reason: "weights_only" });
    await assert.rejects(load(Buffer.from([0x80, 0x02, 0x7d])), { reason: "unknown_format" });
    await assert.rejects(load(Buffer.from("hello")), { reason: "unknown_format" });
    await assert.rejects(load(new Uint8Array(0)), { reason: "unknown_format" });
    await assert.rejects(load(Buffer.from("PK\x03\x04 and no more")), { reason: "model_file_corrupt" });
  });

  test("a file that the file system does not read is named, and is not an internal error", async () => {
    const path = join(folder, "circle.onnx");
    symlinkSync(path, path);
    await assert.rejects(loadPath(path), {
      code: "unavailable",
      reason: "file_unreadable",
      message: "circle.onnx cannot be read: its links lead in a circle",
    });
  });

  test("an ONNX file with a bfloat16 output is refused by the output's name, with what to do", async () => {
    const model = unary(
      "Identity",
      { name: "x", type: "BF16", dims: ["n", 2] },
      { type: "BF16", dims: ["n", 2] },
    );
    await assert.rejects(load(model), {
      ...rejected,
      message:
        "x has the element type bfloat16, which cannot be carried to the engine and back; cast it inside the model",
    });
  });

  test("integer rows that depend on each other are not batched, and rows that are looked up are", async () => {
    const x = { name: "x", type: "INT64", dims: ["n", 2] } as const;
    const below = await load(
      tinyOnnx({
        inputs: [x],
        outputs: [{ ...x, name: "y" }],
        nodes: [
          { op: "ReduceMax", inputs: ["x"], outputs: ["most"] },
          { op: "Sub", inputs: ["x", "most"], outputs: ["y"] },
        ],
      }),
    );
    assert.equal(below.description.signature.batching.kind, "off");
    // A table of one row: of the made-up integers it takes 0 alone.
    const found = await load(
      tinyOnnx({
        inputs: [x],
        outputs: [{ name: "y", type: "FP32", dims: ["n", 2, 3] }],
        nodes: [{ op: "Gather", inputs: ["table", "x"], outputs: ["y"] }],
        weights: [floatWeight("table", [1, 3], Float32Array.of(1, 2, 3))],
      }),
    );
    assert.deepEqual(found.description.signature.batching, { kind: "on", symbol: "n", maxRows: undefined });
    assert.deepEqual(found.description.warnings, []);
  });

  test("a damaged ONNX file is rejected wherever it is cut", async () => {
    const whole = weighted(floatWeight("w", [2, 3], new Float32Array(6)));
    for (let length = 3; length < whole.byteLength; length += 7) {
      await assert.rejects(
        load(whole.subarray(0, length)),
        { code: "failed_precondition" },
        `cut at ${length}`,
      );
    }
  });

  test("options it cannot honour are rejected, not ignored", async () => {
    const model = weighted(floatWeight("w", [2, 3], new Float32Array(6)));
    await assert.rejects(load(model, { precision: "int8" }), {
      code: "failed_precondition",
      message: /nothing in the model can be stored as int8: 'w': Add has no such kernel/,
    });
    await assert.rejects(load(model, { weightsFile: "/nowhere/w.safetensors" }), {
      reason: "option_unsupported",
    });
  });
});

/** y = x + w with w: [2, 3] */
function weighted(weight: Uint8Array): Uint8Array {
  return tinyOnnx({
    inputs: [{ name: "x", type: "FP32", dims: ["n", 3] }],
    outputs: [{ name: "y", type: "FP32", dims: ["m", 3] }],
    nodes: [{ op: "Add", inputs: ["x", "w"], outputs: ["y"] }],
    weights: [weight],
  });
}
