import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PLAIN_LOAD } from "../plain-load.ts";
import { deviceOfInstance, openOnDevice } from "./execution-provider.ts";
import { findDevices } from "./find-devices.ts";
import { loadModel } from "./load-model.ts";
import { sessionOptions } from "./session-options.ts";

const ONNX = fileURLToPath(new URL("../../../../../examples/digits/digits.onnx", import.meta.url));
const everything = (): readonly string[] => ["cpu", "cuda", "coreml", "dml", "webgpu"];

describe("device", () => {
  for (const [device, provider] of [
    ["auto", "cpu"],
    ["cpu", "cpu"],
    ["cuda", { name: "cuda", deviceId: 0 }],
    ["cuda:3", { name: "cuda", deviceId: 3 }],
    ["dml:1", { name: "dml", deviceId: 1 }],
    ["coreml", "coreml"],
    ["webgpu", "webgpu"],
  ] as const) {
    test(`${device} is what ONNX Runtime is told`, () => {
      const own = deviceOfInstance(device, 0, everything);
      const { executionProviders } = sessionOptions({ ...PLAIN_LOAD, device: own }, undefined);
      assert.deepEqual(executionProviders, [provider]);
    });
  }

  test("DirectML gets no memory patterns, which it does not take", () => {
    assert.equal(sessionOptions({ ...PLAIN_LOAD, device: "dml" }, undefined).enableMemPattern, false);
    assert.equal(sessionOptions({ ...PLAIN_LOAD, device: "cuda" }, undefined).enableMemPattern, true);
  });

  test("the instances of a model share out several devices", () => {
    const own = [0, 1, 2].map((instance) => deviceOfInstance("cuda:0, cuda:1", instance, everything));
    assert.deepEqual(own, ["cuda:0", "cuda:1", "cuda:0"]);
  });

  for (const wrong of ["gpu", "cuda:", "cuda:1000", "webgpu:0", "cpu,,cuda", "CUDA", ""]) {
    test(`${JSON.stringify(wrong)} is refused with what there could be`, () => {
      assert.throws(() => deviceOfInstance(wrong, 0, everything), {
        reason: "option_unsupported",
        message: /expected auto, cpu, cuda, cuda:N, coreml, dml, dml:N or webgpu/,
      });
    });
  }
});

describe("a device that is not there", () => {
  test("what ONNX Runtime was not built for is refused with what it was built for", () => {
    assert.throws(() => deviceOfInstance("coreml", 0, () => ["cpu", "webgpu"]), {
      reason: "device_missing",
      message: "device: coreml is not there: this system's ONNX Runtime was built for cpu, webgpu",
    });
  });

  test("where the processor takes the model, the device is to blame", async () => {
    const options = { ...sessionOptions(PLAIN_LOAD, undefined), executionProviders: ["absent"] };
    await assert.rejects(openOnDevice(readFileSync(ONNX), options, "absent"), {
      code: "failed_precondition",
      reason: "device_missing",
      message: /^device: absent is not there: [^\n]*$/,
    });
  });

  test("where it does not, the model is", async () => {
    const options = { ...sessionOptions(PLAIN_LOAD, undefined), executionProviders: ["absent"] };
    await assert.rejects(
      openOnDevice(Buffer.from("no model"), options, "absent"),
      (error: Error & { reason?: string }) => error.reason !== "device_missing",
    );
  });

  test("a model is not loaded for it", async () => {
    const device = process.platform === "darwin" ? "dml" : "coreml";
    const options = { ...PLAIN_LOAD, device };
    const spec = { name: "m", version: "1", file: ONNX, root: "/", options };
    const loading = loadModel({ spec, wantsDigest: true }, () => {});
    await assert.rejects(loading, { reason: "device_missing" });
  });
});

test("a model is run on each device that is there, and said of each other why not", async () => {
  const { devices, absent } = await findDevices();
  assert.ok(devices.includes("cpu"));
  for (const { device, why } of absent) assert.ok(why.length > 5 && !devices.includes(device), device);
});
