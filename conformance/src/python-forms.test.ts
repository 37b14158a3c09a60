// Tests packages/server/python/sconce_worker/forms.py: a model in other precisions and compiled, against eager PyTorch of the same form.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { pythonOrReason, runPython } from "./python.ts";
import { startServerProcess } from "./server-process.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/python/check_forms.py", import.meta.url));
const WORKER = fileURLToPath(new URL("../../packages/server/python", import.meta.url));
/** Of one and the same form, made in another process. */
const TOLERANCE = 1e-5;
/** What eight bits of a mantissa or of a weight cost these models at most. */
const ROUNDED = 0.05;

interface Checked {
  readonly model: string;
  readonly form: string;
  readonly float32: number;
  readonly same: number;
  readonly kind: string;
}

const environment = pythonOrReason();
const skip = "skip" in environment ? environment.skip : false;
const hasCompiler = ["g++", "clang++"].some((name) =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, name))),
);

describe("forms of models in Python workers", { skip }, () => {
  const python = "path" in environment ? environment.path : "";
  const folder = mkdtempSync(join(tmpdir(), "sconce-forms-"));
  let said: {
    readonly forms: readonly Checked[];
    readonly "without compiler": string;
    readonly "without shard": string;
    readonly shared: readonly number[];
  };

  before(async () => {
    const wanted = hasCompiler ? ["compile"] : [];
    said = JSON.parse(
      await runPython(python, ["-W", "ignore", SCRIPT, WORKER, folder, ...wanted]),
    ) as typeof said;
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const form of ["eager", "scripted", "exported", "bfloat16", "int8", "shared", "sharded", "compiled"]) {
    const isMissing = form === "compiled" && !hasCompiler;
    test(`${form} answers as eager PyTorch does`, { skip: isMissing && "no C++ compiler" }, () => {
      const checked = said.forms.filter((each) => each.form.split(" ").at(-1) === form);
      assert.ok(checked.length >= (form === "compiled" ? 1 : 3));
      const isRounded = form === "bfloat16" || form === "int8";
      for (const { model, same, float32, kind } of checked) {
        assert.ok(same <= TOLERANCE, `${model}: ${same} from ${form} of its own`);
        assert.ok(
          isRounded ? float32 > 0 && float32 < ROUNDED : float32 <= TOLERANCE,
          `${model}: ${float32}`,
        );
        if (isRounded) assert.match(kind, new RegExp(`in ${form}`));
      }
    });
  }

  test("weights of programs become pages of their file", () => {
    // Two layers of 16 × 64 float32, scripted and exported.
    assert.deepEqual(said.shared, [8192, 8192]);
  });

  test("a missing part of a checkpoint is named", () => {
    assert.equal(
      said["without shard"],
      "model-00001-of-00002.bin is one of 2 files, and model-00002-of-00002.bin is missing: copy all of them",
    );
  });

  test("a missing compiler is one clear sentence", () => {
    assert.equal(
      said["without compiler"],
      "compile needs a C++ compiler, and there is no no-such-compiler: install one, name one in CXX, or leave compile out",
    );
  });

  test("model.yaml chooses the form, and what has none is refused", async () => {
    writeFileSync(
      join(folder, "gated", "model.yaml"),
      'inputs: {x: "float32[batch, 16]"}\nprecision: bfloat16\n',
    );
    for (const name of ["sharded", "exported.pt2"]) rmSync(join(folder, "gated", name), { recursive: true });
    rmSync(join(folder, "gated", "scripted.pt"));
    const server = await startServerProcess([
      join(folder, "gated"),
      "--python",
      python,
      "--spare-workers",
      "0",
    ]);
    try {
      const inputs = [{ name: "x", datatype: "FP32", shape: [2, 16], data: Array(32).fill(0.5) }];
      const response = await fetch(`${server.url}/v2/models/gated/infer`, {
        method: "POST",
        body: JSON.stringify({ inputs }),
      });
      const { outputs } = (await response.json()) as {
        readonly outputs: readonly { readonly datatype: string; readonly data: readonly number[] }[];
      };
      assert.deepEqual([outputs[0]!.datatype, outputs[0]!.data.length], ["FP32", 8]);
      // No more of a number than bfloat16 has.
      for (const value of outputs[0]!.data)
        assert.equal(new Uint32Array(Float32Array.of(value).buffer)[0]! & 0xffff, 0, `${value}`);
      assert.match(server.output(), /the class Gated of model\.py, in bfloat16, run by PyTorch/);
    } finally {
      await server.stop();
    }
  });
});
