// Tests `sconce verify` on the built program, with real PyTorch.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { findDifference, PLAIN_LOAD } from "./internals/verify.ts";
import { requirePython } from "./python.ts";

const BIN = fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url));
const DIGITS = join(MODELS_FOLDER, "digits.pt2");

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function verify(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, "verify", ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

describe("sconce verify", () => {
  test("compares a translation with PyTorch on made-up inputs and on given ones, and says where it differs", async (t) => {
    const python = requirePython(t);
    if (python === undefined) return;
    const folder = mkdtempSync(join(tmpdir(), "sconce-verify-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const input = join(folder, "seven.json");
    writeFileSync(input, JSON.stringify({ input: nestedImage(expectedDigits().digits[0]!) }));
    // No two engines add float32 in the same order.
    const { code, stdout, stderr } = await verify(
      ...[DIGITS, "--python", python, "--input", input, "--tolerance", "0", "--json"],
    );
    assert.equal(code, 1, stderr);
    const { kind, compared, outputs, oneSided, begins } = JSON.parse(stdout) as {
      readonly kind: string;
      readonly compared: number;
      readonly outputs: readonly { readonly output: string; readonly error: number }[];
      readonly oneSided: readonly unknown[];
      readonly begins: { readonly module: string; readonly op: string; readonly difference: object };
    };
    assert.equal(kind, "different");
    assert.ok(compared >= 15, `${compared} compared`);
    assert.deepEqual(oneSided, []);
    assert.equal(outputs[0]?.output, "probabilities");
    assert.ok(outputs[0].error > 0 && outputs[0].error < 1e-4, stdout);
    assert.match(`${begins.module} ${begins.op}`, /^\w+\.\d aten\.\S+$/);
  });

  test("names the layer whose operation is translated wrongly, and none before or behind it", async (t) => {
    const python = requirePython(t);
    if (python === undefined) return;
    const pixels = Float32Array.from({ length: 2 * 64 }, (_, i) => Math.sin(i));
    const found = await findDifference({
      spec: { name: "digits", version: "1", file: DIGITS, root: MODELS_FOLDER, options: PLAIN_LOAD },
      inputs: [{ datatype: "FP32", shape: [2, 1, 8, 8], bytes: new Uint8Array(pixels.buffer) }],
      tolerance: 1e-4,
      python,
      env: process.env,
      // The second of three: negative numbers stay.
      edit: ({ model, outputs }) => {
        let count = 0;
        const nodes = model!.graph.nodes.map((node) =>
          node.type === "Relu" && ++count === 2 ? { ...node, type: "Identity" } : node,
        );
        return { model: { ...model!, graph: { ...model!.graph, nodes } }, outputs };
      },
    });
    assert.ok("module" in found, JSON.stringify(found));
    assert.deepEqual(
      [found.module, found.op, found.name, found.type],
      ["features.6", "aten.relu.default", "relu_1", "torch.nn.modules.activation.ReLU"],
    );
    assert.match(found.difference.words, /^at \[.*\]: -\S+ instead of 0$/);
  });

  test("says which side could not be loaded, and why", async () => {
    const { code, stderr } = await verify(DIGITS, "--python", "nowhere");
    assert.equal(code, 1);
    assert.match(stderr, /^sconce verify: PyTorch: .*the interpreter nowhere does not exist/);
  });
});
