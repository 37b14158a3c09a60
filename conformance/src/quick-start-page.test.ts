// Tests what README.md and docs/quick-start.md tell a newcomer to type: the export, then every command, on the built server.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { examplesOf, matches, runExample } from "./page-examples.kit.ts";
import { requirePython, runPython } from "./python.ts";
import { startServerProcess } from "./server-process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "packages/server/bin/sconce.js");

/** The export, and what a page has after it, `model.py`. */
function pythonOf(page: string): readonly [string, string | undefined] {
  const text = readFileSync(join(ROOT, page), "utf8");
  const [program, code] = Array.from(text.matchAll(/^```python\n([\s\S]*?)^```$/gm), ([, block]) => block);
  assert.ok(program !== undefined, `${page} shows no Python`);
  return [program, code];
}

const SAVE_WEIGHTS = `
import torch
code = {}
exec(open("flowers/model.py").read(), code)
torch.save(code["Flowers"]().state_dict(), "flowers/weights.pth")
`;

for (const page of ["README.md", "docs/quick-start.md"]) {
  test(`the steps of ${page} lead from a module to an answer`, { timeout: 300_000 }, async (t) => {
    const python = requirePython(t);
    if (python === undefined) return;
    const folder = mkdtempSync(join(tmpdir(), "sconce-quick-start-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const [program, code] = pythonOf(page);
    writeFileSync(join(folder, "export.py"), program);
    const paths = [join(folder, "iris.pt2")];
    if (code !== undefined) {
      mkdirSync(join(folder, "flowers"));
      writeFileSync(join(folder, "flowers/model.py"), code);
      writeFileSync(join(folder, "export.py"), program + SAVE_WEIGHTS);
      paths.push(join(folder, "flowers"), "--python", python);
    }
    await runPython(python, [
      "-c",
      `import os; os.chdir(${JSON.stringify(folder)}); exec(open("export.py").read())`,
    ]);
    const server = await startServerProcess(paths);
    t.after(() => server.stop());
    const examples = examplesOf(readFileSync(join(ROOT, page), "utf8"));
    assert.ok(examples.length >= 2, `${page} shows ${examples.length} commands`);
    for (const { command, shown } of examples) {
      const here = command
        .replace(/^npx sconce/, `${process.execPath} ${BIN}`)
        .replaceAll("127.0.0.1:8080", server.authority);
      const output = await runExample(here, { cwd: folder });
      assert.ok(matches(output, shown), `${command}\nprinted\n${output}\n${page} shows\n${shown}`);
    }
  });
}
