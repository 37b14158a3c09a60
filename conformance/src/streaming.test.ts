// Tests the built server on a scripted model that keeps a state inside: speech is streamed chunk by chunk, the server keeps the state.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { JsonTensor } from "./json-tensor.ts";
import { requirePython, runPython } from "./python.ts";
import { startServerProcess } from "./server-process.ts";

interface Answer {
  readonly chunk: readonly number[];
  readonly probability: number;
}

const SCRIPT = fileURLToPath(new URL("../../scripts/python/script_streaming.py", import.meta.url));

const WIDTH = 16;

test("a scripted speech detector that keeps a state inside answers a stream as PyTorch, without the state being sent along", {
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
  for (const [i, { chunk, probability }] of answers.entries()) {
    const x = { name: "x", shape: [1, 512], datatype: "FP32", data: chunk };
    const parameters = { sequence_id: 1, sequence_start: i === 0, sequence_end: i === answers.length - 1 };
    const response = await fetch(`${server.url}/v2/models/detector/infer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs: [x], parameters }),
    });
    assert.equal(response.status, 200, await response.clone().text());
    const { outputs } = (await response.json()) as { readonly outputs: readonly JsonTensor[] };
    assert.deepEqual(
      outputs.map(({ name }) => name),
      ["output"],
    );
    const [got] = outputs[0]!.data;
    assert.ok(Math.abs(got! - probability) <= 1e-5, `chunk ${i}: ${got} instead of ${probability}`);
  }
});

const NET = `import torch


class Net(torch.nn.Module):
    def forward(self, x: "float32[batch, 1]", h: "float32[batch, 2]"):
        new = h + x
        return {"y": new.sum(-1, keepdim=True), "h_out": new}
`;

test("a model that PyTorch runs has its state kept as any other", { timeout: 180_000 }, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-state-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "net"));
  writeFileSync(join(folder, "net", "model.py"), NET);
  writeFileSync(join(folder, "net", "model.yaml"), "state: {h: h_out}\n");
  const server = await startServerProcess([folder, "--python", python]);
  t.after(() => server.stop());
  const ask = async (id: number, x: number, n: number): Promise<void> => {
    const parameters = { sequence_id: id, sequence_start: n === 1 };
    const body = JSON.stringify({ input: [x], parameters });
    const response = await fetch(`${server.url}/predict/net`, { method: "POST", body });
    assert.deepEqual(await response.json(), { prediction: [2 * n * x] });
  };
  for (let n = 1; n <= 3; n++) await Promise.all([1, 2, 3, 4].map((id) => ask(id, id, n)));
});
