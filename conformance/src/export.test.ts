// Tests `sconce export` on the built program, with real PyTorch: what it makes is served without Python.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { requirePython, runPython } from "./python.ts";
import { startServerProcess } from "./server-process.ts";

const BIN = fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url));

const CODE = {
  mean: `
import dataclasses, torch

@dataclasses.dataclass
class Out:
    logits: torch.Tensor
    loss: torch.Tensor = None

class Mean(torch.nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.table = torch.nn.Embedding(50, width)
        self.memory = torch.nn.LSTM(width, width, batch_first=True)
        self.hidden = torch.nn.Linear(width, width)
        self.out = torch.nn.Linear(width, 4)

    def forward(self, ids: "int64[batch, length]", mask: "float32[batch, length]"):
        print("a model may print")
        rows = self.memory(self.table(ids))[0] * mask[..., None]
        rows = rows.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        return Out(logits=self.out(self.hidden(rows)))
`,
  branch: `
import torch

class Branch(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(8, 8)

    def forward(self, x: "float32[batch, 8]"):
        y = self.a(x)
        if y.sum() > 0:
            return y * 2
        return y
`,
  constant: `
import torch

class Constant(torch.nn.Module):
    def forward(self, x: "float32[batch, length]"):
        total = x[:, 0]
        for column in range(1, x.shape[1]):
            total = total + x[:, column]
        return total
`,
  narrow: `
import torch

class Narrow(torch.nn.Module):
    def forward(self, x: "float32[batch, length]"):
        return x + torch.arange(5)
`,
};

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, "export", ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

describe("sconce export", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-export-"));
  after(() => rmSync(folder, { recursive: true }));

  function write(name: keyof typeof CODE): string {
    const place = join(folder, name);
    mkdirSync(place);
    writeFileSync(join(place, "model.py"), CODE[name]);
    return place;
  }

  test("a pruned model.py with an LSTM and an answer of its own class in an archive of TorchServe becomes a .pt2 that equals the code, served without Python", async (t) => {
    const python = requirePython(t);
    if (python === undefined) return;
    const source = write("mean");
    const weights = join(source, "weights.pth");
    const ask =
      "import torch, model; from torch.nn.utils import prune; m = model.Mean().eval(); " +
      "[prune.l1_unstructured(part, name, 0.75) for part, name in ((m.hidden, 'weight'), (m.hidden, 'bias'), (m.table, 'weight'))]; " +
      "torch.save(m.state_dict(), 'weights.pth'); " +
      "torch.jit.trace(m.out, torch.zeros(2, 32)).save('../traced.pt'); " +
      "import json, zipfile; archive = zipfile.ZipFile('../mean.mar', 'w'); " +
      "archive.writestr('MAR-INF/MANIFEST.json', json.dumps({'model': {'handler': 'text_classifier', 'modelFile': 'model.py', 'serializedFile': 'weights.pth'}})); " +
      "[archive.write(name, name) for name in ('model.py', 'weights.pth')]; archive.close(); " +
      "print(m(torch.tensor([[1, 2, 3]]), torch.ones(1, 3)).logits.tolist())";
    const printed = await runPython(python, [
      "-c",
      `import os; os.chdir(${JSON.stringify(source)}); import sys; sys.path.insert(0, '.'); ${ask}`,
    ]);
    const expected = JSON.parse(printed.trim().split("\n").at(-1)!) as number[][];
    assert.ok(existsSync(weights));
    const output = join(folder, "mean.pt2");
    const { code, stdout, stderr } = await run(
      join(folder, "mean.mar"),
      "-o",
      output,
      "--python",
      python,
      "--int8",
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /ids: INT64 \[batch, length\]/);
    assert.match(stdout, /\[1, 2\] \[1, 2\]: equal to the code/);
    assert.match(
      stdout,
      /what the handler text_classifier does before and behind the model is no part of the file/,
    );
    assert.match(stdout, /1\d% of the weights are zeros, as pruning makes them/);
    assert.match(stdout, /the code, by PyTorch +\S+ ms/);
    assert.match(stdout, /without Python +\S+ KiB +\S+ ms {2}(equal|off by)/);
    assert.match(stdout, /in 8 bits it is .*mean-int8\.onnx/);
    assert.match(stdout, /it runs without Python, and answers as the code does \(5 sizes\)/);
    assert.ok(existsSync(join(folder, "mean-int8.onnx")));
    const server = await startServerProcess([output, "--runtime", "onnx", "--log-level", "error"]);
    t.after(() => server.stop());
    const body = JSON.stringify({ input: { ids: [[1, 2, 3]], mask: [[1, 1, 1]] } });
    const response = await fetch(`${server.url}/predict/mean`, { method: "POST", body });
    const { prediction } = (await response.json()) as { readonly prediction: number[][] };
    for (const [i, value] of expected[0]!.entries()) assert.ok(Math.abs(prediction[0]![i]! - value) < 1e-5);
  });

  test("a TorchScript file becomes a .pt2", async (t) => {
    const python = requirePython(t);
    if (python === undefined) return;
    const { code, stdout, stderr } = await run(
      join(folder, "traced.pt"),
      "-o",
      join(folder, "traced.pt2"),
      "--python",
      python,
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /: FP32 \[batch, 32\]\n/);
    assert.match(stdout, /it runs without Python, and answers as the code does \(4 sizes\)/);
  });

  test("what cannot be exported is told with the line of the model's code, and leaves no file", async (t) => {
    const python = requirePython(t);
    if (python === undefined) return;
    const output = join(folder, "branch.pt2");
    const { code, stderr } = await run(write("branch"), "-o", output, "--python", python);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /torch\.export cannot export the model: .*\(at model\.py, line 11: if y\.sum\(\) > 0:\)/,
    );
    assert.ok(!existsSync(output));
  });

  test("a size of which the code makes a constant is named", async (t) => {
    const python = requirePython(t);
    if (python === undefined) return;
    const { code, stdout, stderr } = await run(
      write("constant"),
      "-o",
      join(folder, "c.pt2"),
      "--python",
      python,
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /x: dimension 1 \(length\) came out as a constant/);
  });

  test("a model that does not take the sizes it says is told so, with its line", async (t) => {
    const python = requirePython(t);
    if (python === undefined) return;
    const { code, stderr } = await run(write("narrow"), "-o", join(folder, "n.pt2"), "--python", python);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /the model fails on made-up inputs \(x \[2, 13\]\): RuntimeError: .*\(at model\.py, line 6: return x \+/,
    );
  });

  test("what is exported already is told so", async (t) => {
    const python = requirePython(t);
    if (python === undefined) return;
    const { code, stderr } = await run(
      join(MODELS_FOLDER, "digits.pt2"),
      "-o",
      join(folder, "d.pt2"),
      "--python",
      python,
    );
    assert.equal(code, 2);
    assert.match(stderr, /digits\.pt2 is exported already; expected the folder of a model/);
  });
});
