import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig, loadModelConfig } from "./load-config.ts";
import { checkCaps, modelCaps } from "./model-caps.ts";
import { parseYaml } from "./yaml-file.ts";

const MACHINE = { cores: 2, memoryBytes: 2 ** 33 };

/** What is said of a model.yaml on a machine of two cores and 8 GiB; "" when it is taken. */
function said(yaml: string, flags: Readonly<Record<string, string | boolean>> = {}): string {
  const { server, modelDefaults } = loadConfig({ flags: new Map(Object.entries(flags)) });
  const config = loadModelConfig(parseYaml(yaml, "model.yaml"), modelDefaults);
  try {
    checkCaps(config, modelDefaults, modelCaps(server, MACHINE));
    return "";
  } catch (error) {
    const { reason, message } = error as { readonly reason: string; readonly message: string };
    assert.equal(reason, "option_not_allowed");
    return message.replace("model.yaml asks for ", "");
  }
}

for (const [taken, refused, words] of [
  ["instances: 8", "instances: 9", "instances 9; this server allows 8 (--max-instances)"],
  ["instances: auto", "instances: 256\nthreads: 64", "instances 256; this server allows 8 (--max-instances)"],
  [
    "instances: 4\nthreads: 4",
    "instances: 4\nthreads: 5",
    "instances × threads 20; this server allows 16 (--max-threads)",
  ],
  ["threads: 16", "threads: 17", "instances × threads 17; this server allows 16 (--max-threads)"],
  [
    "max_queue: 1GiB\ncache: 1GiB",
    "max_queue: 1GiB\ncache: 1025MiB",
    "max_queue, cache and max_state together 2049 MiB; this server allows 2048 MiB (--max-model-memory)",
  ],
  [
    "state: {h: h_out}\nmax_queue: 1GiB\nmax_state: 1GiB",
    "max_queue: 1GiB\nmax_state: 1025MiB",
    "max_queue, cache and max_state together 2049 MiB; this server allows 2048 MiB (--max-model-memory)",
  ],
  [
    "execution_timeout: 1h",
    "execution_timeout: 2h",
    "execution_timeout 7200 s; this server allows 3600 s (--max-timeout)",
  ],
  ["load_timeout: 1h", "load_timeout: 2h", "load_timeout 7200 s; this server allows 3600 s (--max-timeout)"],
  [
    "queue_timeout: 1h",
    "queue_timeout: 2h",
    "queue_timeout 7200 s; this server allows 3600 s (--max-timeout)",
  ],
  [
    "isolation: process",
    "isolation: thread",
    "isolation thread; this server allows process (--allow-thread-isolation)",
  ],
] as const) {
  test(`a model.yaml may say ${JSON.stringify(taken)}, not ${JSON.stringify(refused)}: both numbers are said`, () => {
    assert.equal(said(taken), "");
    assert.equal(said(refused), words);
  });
}

test("a model's interpreter lies in its own folder, unless the operator allows others or named it", () => {
  for (const path of [".venv", "env/bin/python", "./a/../b"]) assert.equal(said(`python: ${path}`), "");
  for (const path of ["/usr/bin/python3", "../venv", "a/../../b", ".."]) {
    const words = `the interpreter ${path}; this server allows those in the model's own folder (--allow-model-python)`;
    assert.equal(said(`python: ${path}`), words);
    assert.equal(said(`python: ${path}`, { "--allow-model-python": true }), "");
    assert.equal(said(`python: ${path}`, { "--python": path }), "");
  }
});

test("an operator who says onnx for all models keeps Python out", () => {
  for (const runtime of ["auto", "python"]) {
    assert.equal(said(`runtime: ${runtime}`), "");
    const words = `runtime ${runtime}; this server allows onnx (--runtime)`;
    assert.equal(said(`runtime: ${runtime}`, { "--runtime": "onnx" }), words);
    assert.equal(said("runtime: onnx", { "--runtime": "onnx" }), "");
  }
  const shadow = "runtime: onnx\nshadow: {share: 1%}";
  assert.equal(said(shadow), "");
  assert.equal(
    said(shadow, { "--runtime": "onnx" }),
    "a shadow, which PyTorch computes; this server allows onnx (--runtime)",
  );
});

test("what the operator allows, or set as a default for all models, is allowed", () => {
  assert.equal(said("instances: 16", { "--max-instances": "16" }), "");
  assert.equal(
    said("instances: 2", { "--max-instances": "1" }),
    "instances 2; this server allows 1 (--max-instances)",
  );
  assert.equal(said("instances: 12", { "--instances": "12" }), "");
  assert.equal(
    said("instances: 13", { "--instances": "12" }),
    "instances 13; this server allows 12 (--max-instances)",
  );
  assert.equal(said("threads: 20", { "--max-threads": "20" }), "");
  assert.equal(said("isolation: thread", { "--allow-thread-isolation": true }), "");
  assert.equal(said("isolation: thread", { "--isolation": "thread" }), "");
  assert.equal(said("max_queue: 3GiB", { "--max-model-memory": "3GiB" }), "");
  assert.equal(said("load_timeout: 2h", { "--load-timeout": "2h" }), "");
});
