// Tests the built server on Silero VAD's own files: synthesised speech is streamed chunk by chunk, the state goes with it.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { requirePython, runPython } from "../python.ts";
import { startServerProcess } from "../server-process.ts";
import { requirePackages, scriptPath } from "./packages.kit.ts";

interface Answer {
  readonly chunk: readonly number[];
  readonly probability: number;
}

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  readonly data: readonly number[];
}

const CONTEXT = 64;
const STATE = [2, 1, 128];

const floats = (name: string, shape: readonly number[], data: readonly number[]): Tensor => ({
  name,
  shape,
  datatype: "FP32",
  data,
});
const zeros = (length: number): number[] => new Array<number>(length).fill(0);

test("Silero VAD's .jit and .onnx hear speech in a stream of chunks as PyTorch does", {
  timeout: 300_000,
}, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const packages = requirePackages(t);
  if (packages === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-silero-"));
  t.after(() => rmSync(folder, { recursive: true }));
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
  const script = [scriptPath("python/script_streaming.py"), join(folder, "jit", "model.pt")];
  const told = await runPython(python, [...script, join(data, "silero_vad.jit")]);
  const answers = JSON.parse(told) as Answer[];
  const heard = answers.filter(({ probability }) => probability > 0.5).length;
  assert.ok(heard > 0, "the speech has something to hear in it");

  const server = await startServerProcess([folder]);
  t.after(() => server.stop());
  async function infer(model: string, inputs: readonly Tensor[]): Promise<(name: string) => Tensor> {
    const response = await fetch(`${server.url}/v2/models/${model}/infer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs }),
    });
    assert.equal(response.status, 200, await response.clone().text());
    const { outputs } = (await response.json()) as { readonly outputs: readonly Tensor[] };
    return (name) => outputs.find((tensor) => tensor.name === name)!;
  }

  let kept = [floats("_state", STATE, zeros(256)), floats("_context", [1, CONTEXT], zeros(CONTEXT))];
  let state = zeros(256);
  let before = zeros(CONTEXT);
  for (const [i, { chunk, probability }] of answers.entries()) {
    const jit = await infer("jit", [floats("x", [1, 512], chunk), ...kept]);
    kept = kept.map(({ name }) => ({ ...jit(`new_${name}`), name }));
    const onnx = await infer("onnx", [
      floats("input", [1, CONTEXT + 512], [...before, ...chunk]),
      floats("state", STATE, state),
      { name: "sr", shape: [], datatype: "INT64", data: [16000] },
    ]);
    state = [...onnx("stateN").data];
    before = chunk.slice(-CONTEXT);
    for (const got of [jit("output").data[0]!, onnx("output").data[0]!])
      assert.ok(Math.abs(got - probability) <= 1e-5, `chunk ${i}: ${got} instead of ${probability}`);
  }
});
