// Tests what `sconce completion` prints in the real shells: zsh at a terminal, with its own completion; fish asked for what it would propose.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { programOrReason } from "../program.ts";
import { BIN, noTerminal, type OnTerminal, onTerminal, screen } from "./terminal.kit.ts";

const folder = mkdtempSync(join(tmpdir(), "completion-"));
after(() => rmSync(folder, { recursive: true }));

const zsh = programOrReason("zsh");
const fish = programOrReason("fish");

function scriptFor(shell: "zsh" | "fish"): string {
  const file = join(folder, `sconce.${shell}`);
  writeFileSync(file, execFileSync(process.execPath, [BIN, "completion", shell]));
  return file;
}

describe("zsh", { skip: zsh.skip || noTerminal }, () => {
  /** What stands on the line of input, once keys and a TAB were pressed behind `sconce `. */
  async function completed(terminal: OnTerminal, typed: string, line: RegExp): Promise<void> {
    terminal.type(`\x15sconce ${typed}\t`);
    await terminal.sees(line);
  }

  test("completes commands, options, their words and files", { timeout: 120_000 }, async (t) => {
    writeFileSync(join(folder, "only-model.pt2"), "");
    writeFileSync(
      join(folder, ".zshrc"),
      `PROMPT='READY> '\nautoload -U compinit\ncompinit -u -D\nsource ${scriptFor("zsh")}\n`,
    );
    const env = { ZDOTDIR: folder, TERM: "dumb", HISTFILE: "" };
    const terminal = onTerminal(`exec ${zsh.path} -i`, { cwd: folder, columns: 120, env });
    t.after(() => terminal.close());
    await terminal.sees(/READY> /);
    await completed(terminal, "insp", /sconce inspect /);
    await completed(terminal, "serve --prec", /sconce serve --precision /);
    await completed(terminal, "serve --precision int", /int4 +int8/);
    await completed(terminal, "inspect only-m", /sconce inspect only-model\.pt2 /);
    await completed(terminal, "completion z", /sconce completion zsh /);
    await completed(terminal, "help insp", /sconce help inspect /);
    await completed(
      terminal,
      "in",
      /init +-- Writes a model\.yaml[\s\S]*inspect +-- Shows what a model file takes/,
    );
    assert.doesNotMatch(screen(terminal.shown()), /error|not found|_arguments:/i);
    terminal.type("\x15exit\r");
    await terminal.ended();
  });
});

describe("fish", fish.skip === false ? {} : { skip: fish.skip }, () => {
  test("completes commands, options, their words and files", () => {
    const script = scriptFor("fish");
    writeFileSync(join(folder, "only-model.pt2"), "");
    const asked = [
      "in",
      "serve --prec",
      "serve --precision in",
      "inspect only-m",
      "completion ",
      "help insp",
    ];
    const program = asked.map((typed) => `complete -C 'sconce ${typed}'; echo END`).join("\n");
    const { stdout, stderr } = spawnSync(fish.path!, ["--no-config", "-c", `source ${script}\n${program}`], {
      cwd: folder,
      env: { ...process.env, HOME: folder },
      encoding: "utf8",
    });
    assert.equal(stderr, "");
    const proposed = stdout
      .split("END\n")
      .slice(0, -1)
      .map((told) =>
        told
          .trimEnd()
          .split("\n")
          .map((row) => row.split("\t")[0]),
      );
    assert.deepEqual(proposed, [
      ["init", "inspect"],
      ["--precision"],
      ["int4", "int8"],
      ["only-model.pt2"],
      ["bash", "fish", "zsh"],
      ["inspect"],
    ]);
    assert.match(stdout, /^init\tWrites a model\.yaml/m);
  });

  test("a model that is called as a command is no command", () => {
    const program = `source ${scriptFor("fish")}; complete -C 'sconce predict list --res'`;
    const { stdout } = spawnSync(fish.path!, ["--no-config", "-c", program], { encoding: "utf8" });
    assert.match(stdout, /^--resize\t/);
  });
});
