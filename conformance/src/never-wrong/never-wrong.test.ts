// Tests the built server against PyTorch on hard cases, of the kinds that public bug reports found, and on a part of the sweep of numbers.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { requirePython, runPythonScripts } from "../python.ts";
import { askCases } from "./ask-cases.ts";

const SCRIPTS = fileURLToPath(new URL("../../../scripts/python", import.meta.url));

/** What others of its kind are like; `npm run never-wrong` asks them all. */
const PART =
  "^(int_(divide|floor|reduce|sizes|arith)_(int8|int64)|attn_(sdpa|eager)_(lowest|inf|bool)_heads|attn_nan_keys_bool|attn_(bfloat16|float16)_(lowest|bool)$|grid_(bilinear|nearest)_(border|reflection)_edges|max_pool(1|3)_2200|quantile_30_linear|searchsorted_True|softmax_rows|order_nan)";

/** Odd inputs through the server; packages/torch/fixtures/odd holds the rest. */
const ODD_PART = "^d_(at_least_two|like_input|branch|async)$";

test("hard cases, numbers at their ends and weights in every form are answered as PyTorch answers them, or rejected where it raises", {
  timeout: 600_000,
}, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-never-wrong-"));
  t.after(() => rmSync(folder, { recursive: true }));
  await runPythonScripts(python, [
    [join(SCRIPTS, "never_wrong_cases.py"), folder],
    [join(SCRIPTS, "never_wrong_numbers.py"), folder, PART],
    [join(SCRIPTS, "never_wrong_odd.py"), folder, ODD_PART],
    [join(SCRIPTS, "weights_cases.py"), folder],
  ]);
  const { problems, passed } = await askCases(folder);
  t.diagnostic(`${passed} runs equal PyTorch`);
  assert.deepEqual(problems, []);
});
