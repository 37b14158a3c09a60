// Tests the built server on a scripted model that keeps a state inside: speech is streamed chunk by chunk, the state goes with it.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { requirePython, runPython } from "./python.ts";
import { startServerProcess } from "./server-process.ts";

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

const SCRIPT = fileURLToPath(new URL("../../scripts/python/script_streaming.py", import.meta.url));

const WIDTH = 16;

const zeros = (name: string, shape: readonly number[]): Tensor => ({
  name,
  shape,
  datatype: "FP32",
  data: new Array<number>(shape.reduce((product, size) => product * size)).fill(0),
});

test("a scripted speech detector that keeps a state inside answers a stream as PyTorch, with the state sent along", {
  timeout: 180_000,
}, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-streaming-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "detector"));
  const file = join(folder, "detector", "model.pt");
  const answers = JSON.parse(await runPython(python, [SCRIPT, file])) as Answer[];
  writeFileSync(
    join(folder, "detector", "model.yaml"),
    `inputs:
  x: float32[1, 512]
  sr: 16000
  _state: float32[2, 1, ${WIDTH}]
  _context: float32[1, 64]
`,
  );
  const server = await startServerProcess([folder]);
  t.after(() => server.stop());
  let state = [zeros("_state", [2, 1, WIDTH]), zeros("_context", [1, 64])];
  for (const [i, { chunk, probability }] of answers.entries()) {
    const x = { name: "x", shape: [1, 512], datatype: "FP32", data: chunk };
    const response = await fetch(`${server.url}/v2/models/detector/infer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs: [x, ...state] }),
    });
    assert.equal(response.status, 200, await response.clone().text());
    const { outputs } = (await response.json()) as { readonly outputs: readonly Tensor[] };
    const output = (name: string): Tensor => outputs.find((tensor) => tensor.name === name)!;
    const [got] = output("output").data;
    assert.ok(Math.abs(got! - probability) <= 1e-5, `chunk ${i}: ${got} instead of ${probability}`);
    state = state.map(({ name }) => ({ ...output(`new_${name}`), name }));
  }
});
