// Tests the committed files of examples/digits and the scripts that make them.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { requirePython, runPythonScripts } from "./python.ts";

interface Expected {
  readonly accuracy: number;
  readonly heldOut: readonly {
    readonly label: number;
    readonly pixels: readonly number[];
    readonly probabilities: readonly number[];
  }[];
  readonly scans: readonly {
    readonly file: string;
    readonly label: number;
    readonly probabilities: readonly number[];
  }[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = join(root, "examples");
const train = join(examples, "digits/train.py");
const check = join(root, "scripts/python/check_digits.py");
const scratch = mkdtempSync(join(tmpdir(), "sconce-digits-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function expectedIn(folder: string): Expected {
  return JSON.parse(readFileSync(join(folder, "digits/expected.json"), "utf8")) as Expected;
}

function predictions(rows: readonly { readonly probabilities: readonly number[] }[]): number[] {
  return rows.map(({ probabilities }) => probabilities.indexOf(Math.max(...probabilities)));
}

const [again, fresh] = [join(scratch, "again"), join(scratch, "fresh")];

let printed: Promise<readonly string[]> | undefined;
/** What each script printed. All run in one process, once: most of them take less time than PyTorch's start. */
function runAll(python: string): Promise<readonly string[]> {
  printed ??= runPythonScripts(python, [
    [check, examples],
    [train, "--out", again, "--weights", join(examples, "digits/digits.pth")],
    [check, again],
    [train, "--out", fresh],
    [check, fresh],
  ]);
  return printed;
}

function assertFormsAgree(printedReport: string | undefined): void {
  const report = JSON.parse(printedReport ?? "{}") as Record<
    string,
    { readonly maxError: number; readonly samePredictions: boolean }
  >;
  assert.deepEqual(Object.keys(report), [
    "digits.pt2",
    "digits.pt",
    "digits.pth",
    "digits.safetensors",
    "digits.onnx",
  ]);
  for (const [name, { maxError, samePredictions }] of Object.entries(report)) {
    assert.ok(samePredictions, `${name}: another prediction than expected.json`);
    assert.ok(maxError <= 1e-5, `${name}: off by ${maxError}`);
  }
}

test("the committed answers are those of a good model", () => {
  const { accuracy, heldOut, scans } = expectedIn(examples);
  const right = predictions(heldOut).filter((digit, i) => digit === heldOut[i]?.label).length;
  assert.ok(right / heldOut.length >= 0.97);
  assert.ok(Math.abs(right / heldOut.length - accuracy) < 1e-6);
  assert.deepEqual(predictions(scans), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(readdirSync(join(examples, "digits/scans")).sort(), scans.map(({ file }) => file).sort());
});

test("all committed forms of the digits model give the committed answers in PyTorch", async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  assertFormsAgree((await runAll(python))[0]);
});

test("the digits artefacts made again from the committed weights answer the same", async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  assertFormsAgree((await runAll(python))[2]);
  const [was, now] = [expectedIn(examples), expectedIn(again)];
  for (const set of ["heldOut", "scans"] as const) {
    assert.deepEqual(predictions(now[set]), predictions(was[set]));
    const differences = was[set].flatMap((row, i) =>
      row.probabilities.map((p, k) => Math.abs(p - (now[set][i]?.probabilities[k] ?? Number.NaN))),
    );
    assert.ok(Math.max(...differences) <= 1e-5);
  }
});

test("training from scratch reaches the accuracy and writes every form", async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const report = (await runAll(python))[4];
  assert.ok(expectedIn(fresh).accuracy >= 0.97);
  assertFormsAgree(report);
});
