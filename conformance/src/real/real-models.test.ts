// Tests the built server on trained models that Python packages carry, and on a detector's head: as program, trace and script.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { runPython } from "../python.ts";
import { startServerProcess } from "../server-process.ts";
import { requireRealModels, scriptPath } from "./packages.kit.ts";

interface Tensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Told {
  /** Why PyTorch cannot write a form. */
  readonly missing: Readonly<Record<string, string>>;
  readonly runs: readonly {
    readonly inputs: readonly Tensor[];
    readonly outputs: readonly Tensor[];
    /** Whether PyTorch's own loaded program takes the size. */
    readonly isTaken: boolean;
  }[];
}

const FORMS = ["pt2", "trace", "script"] as const;
const RTOL = 1e-4;
const ATOL = 1e-5;

function assertEqual(got: Tensor, want: Tensor, where: string): void {
  assert.deepEqual(got.shape, want.shape, where);
  const largest = want.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  for (const [i, value] of want.data.entries()) {
    const error = Math.abs(got.data[i]! - value);
    assert.ok(
      error <= RTOL * Math.abs(value) + ATOL * largest,
      `${where}: [${i}] is ${got.data[i]}, not ${value}`,
    );
  }
}

test("MTCNN, CREPE, a voice encoder and a detector's head answer as PyTorch at every size, as program, trace and script", {
  timeout: 600_000,
}, async (t) => {
  const real = requireRealModels(t);
  if (real === undefined) return;
  const { python, packages, folder } = real;
  const script = scriptPath("python/real_models.py");
  const told = JSON.parse(await runPython(python, [script, folder, packages])) as Record<string, Told>;
  const missing = Object.entries(told).flatMap(([name, { missing }]) =>
    Object.keys(missing).map((form) => `${name}-${form}: ${missing[form]}`),
  );
  // CREPE's own code pads with a tuple, which TorchScript does not take.
  assert.equal(missing.length, 1, missing.join("\n"));
  assert.match(missing[0]!, /^crepe-script: /);

  const server = await startServerProcess([folder]);
  t.after(() => server.stop());
  const served = new Set(readdirSync(folder));
  for (const [name, { runs }] of Object.entries(told)) {
    for (const model of FORMS.map((form) => `${name}-${form}`).filter((one) => served.has(one))) {
      const at = `${server.url}/v2/models/${model}`;
      const metadata = (await (await fetch(at)).json()) as {
        readonly inputs?: readonly { readonly name: string }[];
      };
      assert.ok(metadata.inputs !== undefined, `${model}: ${JSON.stringify(metadata)}`);
      for (const { inputs, outputs, isTaken } of runs) {
        const named = inputs.map((one, i) => ({ ...one, name: metadata.inputs![i]!.name, datatype: "FP32" }));
        const response = await fetch(`${at}/infer`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ inputs: named }),
        });
        const where = `${model} at [${inputs[0]!.shape}]`;
        if (model.endsWith("-pt2") && !isTaken) {
          assert.equal(response.status, 400, where);
          continue;
        }
        assert.equal(response.status, 200, `${where}: ${await response.clone().text()}`);
        const got = (await response.json()) as { readonly outputs: readonly Tensor[] };
        assert.equal(got.outputs.length, outputs.length, where);
        for (const [i, want] of outputs.entries())
          assertEqual(got.outputs[i]!, want, `${where}, output ${i}`);
      }
    }
  }
});
