import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { runCommand } from "./command.kit.ts";
import { completionCommand as commandFor } from "./completion.ts";
import { COMMANDS } from "./main.ts";

const completionCommand = commandFor(COMMANDS);
const folder = mkdtempSync(join(tmpdir(), "completion-"));
after(() => rmSync(folder, { recursive: true }));

/** What bash proposes for the last of these words. */
function proposed(script: string, ...words: readonly string[]): string[] {
  const ask = `${script}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _sconce; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", ask], { encoding: "utf8" });
  assert.equal(stderr, "");
  return stdout.trim().split("\n");
}

describe("sconce completion", () => {
  test("bash completes commands, options and the words that an option takes", async (t) => {
    if (spawnSync("bash", ["-c", "(( BASH_VERSINFO[0] >= 4 ))"]).status !== 0)
      return t.skip("there is no bash 4");
    const { stdout } = await runCommand(completionCommand, "bash");
    assert.deepEqual(proposed(stdout, "sconce", "in"), ["inspect", "init"]);
    assert.deepEqual(proposed(stdout, "sconce", "serve", "--prec"), ["--precision"]);
    assert.deepEqual(proposed(stdout, "sconce", "serve", "--precision", "in"), ["int8", "int4"]);
    assert.deepEqual(proposed(stdout, "sconce", "predict", "digits", "--res"), ["--resize"]);
    assert.deepEqual(proposed(stdout, "sconce", "completion", "z"), ["zsh"]);
    assert.deepEqual(proposed(stdout, "sconce", "serve", "--hel"), ["--help"]);
    assert.deepEqual(proposed(stdout, "sconce", "serve", "models"), [""], "files are bash's own to complete");
  });

  for (const shell of ["zsh", "fish"]) {
    test(`${shell} reads its script, which names every command`, async (t) => {
      const { stdout } = await runCommand(completionCommand, shell);
      for (const name of COMMANDS.keys()) assert.ok(stdout.includes(name), name);
      if (spawnSync(shell, ["-c", "true"]).status !== 0) return t.skip(`there is no ${shell}`);
      const file = join(folder, `sconce.${shell}`);
      writeFileSync(file, stdout);
      const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
      assert.deepEqual([status, stderr], [0, ""]);
    });
  }

  test("names the shells that it knows", async () => {
    for (const argv of [[], ["tcsh"], ["bash", "zsh"]])
      await assert.rejects(runCommand(completionCommand, ...argv), {
        message: /expected one of bash, zsh, fish/,
      });
  });
});
