// Tests the built server on Silero VAD's own files: synthesised speech is streamed chunk by chunk, the server keeps the state.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { JsonTensor } from "../json-tensor.ts";
import { runPython } from "../python.ts";
import { startServerProcess } from "../server-process.ts";
import { requireRealModels, scriptPath } from "./packages.kit.ts";

interface Answer {
  readonly chunk: readonly number[];
  readonly probability: number;
}

const CONTEXT = 64;
const STATE = [2, 1, 128];

const floats = (name: string, shape: readonly number[], data: readonly number[]): JsonTensor => ({
  name,
  shape,
  datatype: "FP32",
  data,
});

test("Silero VAD's .jit and .onnx hear speech in a stream of chunks as PyTorch does", {
  timeout: 300_000,
}, async (t) => {
  const real = requireRealModels(t);
  if (real === undefined) return;
  const { python, packages, folder } = real;
  const data = join(packages, "silero_vad", "data");
  for (const name of ["jit", "onnx"]) mkdirSync(join(folder, name));
  copyFileSync(join(data, "silero_vad.onnx"), join(folder, "onnx", "model.onnx"));
  writeFileSync(
    join(folder, "jit", "model.yaml"),
    `inputs:
  x: float32[1, 512]
  sr: 16000
  _state: float32[${STATE.join(", ")}]
  _context: float32[1, ${CONTEXT}]
`,
  );
  writeFileSync(
    join(folder, "onnx", "model.yaml"),
    "state: {state: stateN}\ninitial_state: {state: 'zeros[2, 1, 128]'}\n",
  );
  const script = [scriptPath("python/script_streaming.py"), join(folder, "jit", "model.pt")];
  const told = await runPython(python, [...script, join(data, "silero_vad.jit")]);
  const answers = JSON.parse(told) as Answer[];
  const heard = answers.filter(({ probability }) => probability > 0.5).length;
  assert.ok(heard > 0, "the speech has something to hear in it");

  const server = await startServerProcess([folder]);
  t.after(() => server.stop());
  async function infer(model: string, inputs: readonly JsonTensor[], isFirst: boolean): Promise<number> {
    const parameters = { sequence_id: "speech", sequence_start: isFirst };
    const response = await fetch(`${server.url}/v2/models/${model}/infer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs, parameters }),
    });
    assert.equal(response.status, 200, await response.clone().text());
    const { outputs } = (await response.json()) as { readonly outputs: readonly JsonTensor[] };
    assert.deepEqual(
      outputs.map(({ name }) => name),
      ["output"],
    );
    return outputs[0]!.data[0]!;
  }

  let before = new Array<number>(CONTEXT).fill(0);
  for (const [i, { chunk, probability }] of answers.entries()) {
    const jit = await infer("jit", [floats("x", [1, 512], chunk)], i === 0);
    const input = floats("input", [1, CONTEXT + 512], [...before, ...chunk]);
    const sr = { name: "sr", shape: [], datatype: "INT64", data: [16000] };
    const onnx = await infer("onnx", [input, sr], i === 0);
    before = chunk.slice(-CONTEXT);
    for (const got of [jit, onnx])
      assert.ok(Math.abs(got - probability) <= 1e-5, `chunk ${i}: ${got} instead of ${probability}`);
  }
});
