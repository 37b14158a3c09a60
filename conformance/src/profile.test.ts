// Tests `sconce profile` of a model that PyTorch runs.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { requirePython } from "./python.ts";

const BIN = fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url));
const CODE = `
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x
`;
const SETTINGS = "class: Net\ninputs:\n  x: float32[batch, 8]\n";

interface Report {
  readonly runtime: string;
  readonly profiledMs: number;
  readonly operationsMs: number;
  readonly samples: readonly {
    readonly kernel: string;
    readonly calls: number;
    readonly place: {
      readonly module: string;
      readonly op: string;
      readonly type: string;
      readonly line: string;
    };
  }[];
}

test("a model of Python code is profiled by its modules, with the lines of its code", async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-profile-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "model.py"), CODE);
  writeFileSync(join(folder, "model.yaml"), SETTINGS);
  const args = [BIN, "profile", folder, "--python", python, "--runs", "2", "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  const { runtime, samples, profiledMs, operationsMs } = JSON.parse(stdout) as Report;
  assert.equal(runtime, "python");
  // What PyTorch notes of a run is all of it.
  assert.ok(
    Math.abs(profiledMs - operationsMs) <= 1e-3 + 1e-3 * profiledMs,
    `${profiledMs} and ${operationsMs}`,
  );
  const products = samples.filter(
    ({ kernel, place }) => kernel === "aten::addmm" && place.op === "aten.linear",
  );
  assert.deepEqual(
    products.map(({ place, calls }) => [place.module, place.type, calls]),
    ["blocks.0.up", "blocks.0.down", "blocks.1.up", "blocks.1.down"].map((module) => [
      module,
      "torch.nn.modules.linear.Linear",
      1,
    ]),
  );
  const added = samples.filter(({ kernel }) => kernel === "aten::add").map(({ place }) => place);
  assert.deepEqual(
    added.map(({ module, line }) => [module, /^model\.py:\d+$/.test(line)]),
    [
      ["blocks.0", true],
      ["blocks.1", true],
    ],
  );
});
