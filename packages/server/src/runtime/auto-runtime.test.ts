import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServeError } from "../base/errors.ts";
import type { ModelDescription } from "../base/model-description.ts";
import { createAutoRuntime } from "./auto-runtime.ts";
import type { LoadedModel, LoadOptions, LoadSpec, Runtime } from "./runtime.ts";

const UNTRANSLATABLE = new ServeError("failed_precondition", "it has aten.odd; export it again", {
  reason: "untranslatable",
  cause: "it has aten.odd",
});

const DESCRIPTION: Omit<ModelDescription, "runtime" | "runtimeReason"> = {
  signature: { inputs: [], outputs: [], batching: { kind: "off", reason: "" } },
  platform: "",
  parameterCount: 0,
  weightBytes: 0,
  digest: "",
  warnings: [],
  loadMs: {},
};

/** A runtime that loads, or throws; `asked` counts. */
function runtime(name: "onnx" | "python", error?: ServeError): Runtime & { asked: number } {
  return {
    name,
    asked: 0,
    async load({ options: { device } }) {
      this.asked++;
      const isAbsent = error?.reason === "device_missing" && device === "cpu";
      if (error !== undefined && !isAbsent) throw error;
      const description = { ...DESCRIPTION, runtime: name, runtimeReason: `${name} can` };
      return {
        description,
        instances: [],
        onStateChange: () => () => {},
        close: async () => {},
        destroy() {},
      };
    },
    close: async () => {},
    destroy() {},
  };
}

function load(
  onnx: Runtime,
  python: Runtime,
  spec: { readonly codeFile?: string } & Partial<
    Pick<LoadOptions, "runtime" | "precision" | "device" | "deviceFallback">
  > = {},
): Promise<LoadedModel> {
  const { codeFile, ...given } = spec;
  const options = given as unknown as LoadOptions;
  const full: LoadSpec = { name: "m", version: "1", file: "/m", root: "/", codeFile, options };
  return createAutoRuntime({ onnx, python, tasks: python }).load(full, {
    signal: new AbortController().signal,
  });
}

describe("createAutoRuntime()", () => {
  test("what translates is run by ONNX Runtime, and Python is not asked", async () => {
    const python = runtime("python");
    assert.equal((await load(runtime("onnx"), python)).description.runtime, "onnx");
    assert.equal(python.asked, 0);
  });

  test("what is to be calculated in bfloat16 is run by Python", async () => {
    const onnx = runtime("onnx");
    const { description } = await load(onnx, runtime("python"), { precision: "bfloat16" });
    assert.deepEqual([description.runtime, onnx.asked], ["python", 0]);
  });

  test("what does not is run by Python, and the description says why", async () => {
    const { description } = await load(runtime("onnx", UNTRANSLATABLE), runtime("python"));
    assert.deepEqual(
      [description.runtime, description.runtimeReason],
      ["python", "python can: it has aten.odd"],
    );
  });

  test("code is not offered to ONNX Runtime", async () => {
    const onnx = runtime("onnx");
    assert.equal((await load(onnx, runtime("python"), { codeFile: "/m.py" })).description.runtime, "python");
    assert.equal(onnx.asked, 0);
  });

  test("a damaged file, a full disk or a cancelled load is no reason to ask Python", async () => {
    for (const error of [
      new ServeError("failed_precondition", "damaged", { reason: "model_file_corrupt" }),
      new ServeError("unavailable", "full", { reason: "file_unreadable" }),
      new ServeError("cancelled", "cancelled", { reason: "load_cancelled" }),
    ]) {
      const python = runtime("python");
      await assert.rejects(load(runtime("onnx", error), python), error);
      assert.equal(python.asked, 0);
    }
  });

  test("where neither can, both say why", async () => {
    const missing = new ServeError("failed_precondition", "there is no python3", {
      reason: "python_missing",
    });
    await assert.rejects(load(runtime("onnx", UNTRANSLATABLE), runtime("python", missing)), {
      reason: "untranslatable",
      message:
        "it has aten.odd; export it again; the Python runtime does not serve it either: there is no python3",
    });
    const passing = new ServeError("unavailable", "no descriptors", { reason: "worker_not_started" });
    await assert.rejects(load(runtime("onnx", UNTRANSLATABLE), runtime("python", passing)), passing);
  });

  const absent = new ServeError("failed_precondition", "device: cuda is not there: no driver", {
    reason: "device_missing",
  });

  test("a device that ONNX Runtime has not is looked for in PyTorch, if both could have it", async () => {
    const loaded = await load(runtime("onnx", absent), runtime("python"), { device: "cuda:0" });
    assert.equal(loaded.description.runtime, "python");
    const python = runtime("python");
    await assert.rejects(load(runtime("onnx", absent), python, { device: "webgpu" }), absent);
    await assert.rejects(load(runtime("onnx", absent), python, { device: "cuda", runtime: "onnx" }), absent);
    assert.equal(python.asked, 0);
  });

  test("a device that nobody has is a refusal, or a warning where the processor may stand in", async () => {
    const asked = { device: "cuda", deviceFallback: "none" } as const;
    await assert.rejects(load(runtime("onnx", absent), runtime("python", absent), asked), {
      reason: "device_missing",
    });
    const may = { device: "cuda", deviceFallback: "cpu" } as const;
    const { description } = await load(runtime("onnx", absent), runtime("python", absent), may);
    assert.equal(description.runtime, "onnx");
    assert.match(
      description.warnings.join(),
      /^device: cuda is not there: .*; it computes on the processor, as device_fallback says$/,
    );
    const forPython = await load(runtime("onnx", UNTRANSLATABLE), runtime("python", absent), may);
    assert.equal(forPython.description.runtime, "python");
    const damaged = new ServeError("failed_precondition", "damaged", { reason: "model_file_corrupt" });
    await assert.rejects(load(runtime("onnx", damaged), runtime("python"), may), damaged);
  });

  test("a choice is kept: nobody else is asked", async () => {
    const [onnx, python] = [runtime("onnx", UNTRANSLATABLE), runtime("python")];
    await assert.rejects(load(onnx, python, { runtime: "onnx" }), UNTRANSLATABLE);
    await assert.rejects(load(onnx, python, { runtime: "onnx", codeFile: "/m.py" }), {
      reason: "option_not_allowed",
    });
    assert.equal(python.asked, 0);
    assert.equal((await load(onnx, python, { runtime: "python" })).description.runtime, "python");
    assert.equal(onnx.asked, 1);
  });
});
