import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, describe, test } from "node:test";
import { findPython } from "./find-python.ts";

describe("findPython()", () => {
  const base = mkdtempSync(join(tmpdir(), "sconce-find-python-"));
  after(() => rmSync(base, { recursive: true }));

  function program(...path: readonly string[]): string {
    const file = join(base, ...path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, "");
    chmodSync(file, 0o755);
    return file;
  }

  const system = program("bin", "python3");
  const own = program("model", ".venv", "bin", "python");
  const searchPath = [join(base, "none"), "relative", join(base, "bin")].join(delimiter);
  const find = (interpreter: string | undefined, ...folders: readonly string[]): string =>
    findPython({ interpreter, folders: folders.map((name) => join(base, name)) }, searchPath).program;

  test("what was configured, then .venv beside the model, then python3", () => {
    assert.equal(find(system, "model"), system);
    assert.equal(find("python3", "model"), system);
    assert.equal(find(undefined, "empty", "model"), own);
    assert.equal(find(undefined, "empty"), system);
  });

  test("a virtual environment may be named by its folder; links are not resolved, since it knows itself by its name", () => {
    assert.equal(find(join(base, "model", ".venv")), own);
    mkdirSync(join(base, "linked", "bin"), { recursive: true });
    const link = join(base, "linked", "bin", "python");
    symlinkSync(system, link);
    assert.equal(find(join(base, "linked")), link);
  });

  test("the .venv of a model is its own; others may be shared", () => {
    const folders = [join(base, "model")];
    assert.equal(findPython({ interpreter: undefined, folders }, searchPath).isOwn, true);
    assert.equal(findPython({ interpreter: "python3", folders }, searchPath).isOwn, false);
  });

  test("what is not there is said by its name, without its folder", () => {
    for (const interpreter of [join(base, "none", "python9"), "python9"]) {
      assert.throws(() => findPython({ interpreter, folders: [] }, searchPath), {
        reason: "python_missing",
        message:
          "the interpreter python9 does not exist: install Python with PyTorch, or name an interpreter that has it with --python",
      });
    }
    assert.throws(() => findPython({ interpreter: undefined, folders: [] }, ""), {
      message: /^there is no python3 in the search path, and no \.venv beside the model/,
    });
  });
});
