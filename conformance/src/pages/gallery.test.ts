// Tests the folders of examples/: each makes its model, and its page runs as it stands. One server has all of their models.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pythonOrReason } from "../python.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { partsOfPage } from "./page-blocks.ts";
import { startPython } from "./python-zygote.ts";
import { projectFile, ROOT, walkPage } from "./walk-page.ts";

const EXAMPLES = join(ROOT, "examples");
/** A test that finds fewer has lost some. */
const LEAST = 8;

const python = pythonOrReason();
const all = readdirSync(EXAMPLES).filter((name) => existsSync(join(EXAMPLES, name, "README.md")));
/** The test that a page says runs it, in place of this one. */
const runBy = (name: string): string | undefined =>
  /^<!-- run by: (\S+) -->$/m.exec(projectFile(`examples/${name}/README.md`))?.[1];
const names = all.filter((name) => runBy(name) === undefined);
const folder = mkdtempSync(join(tmpdir(), "gallery-"));
const ready = "path" in python ? startPython(python.path) : undefined;
let server: ServerProcess;

before(async () => {
  const served = [join(EXAMPLES, "models")];
  for (const name of names) {
    cpSync(join(EXAMPLES, name), join(folder, name), { recursive: true });
    rmSync(join(folder, name, "models"), { recursive: true, force: true });
    if (ready === undefined || !existsSync(join(folder, name, "export.py"))) continue;
    await ready.run("export.py", join(folder, name));
    served.push(join(folder, name, "models"));
  }
  // One that cannot be served is for its own page to say.
  server = await startServerProcess([...served, "--readiness", "settled"]);
});

after(async () => {
  ready?.close();
  await server?.stop();
  rmSync(folder, { recursive: true });
});

/** What every page asks: it stays when a page is done. */
const shared = {
  serve: async (): Promise<ServerProcess> => ({ ...server, stop: async () => ({ code: 0, elapsedMs: 0 }) }),
};

describe("examples", () => {
  for (const name of names) {
    test(`${name} runs as its page says`, { timeout: 300_000 }, async (t) => {
      if (existsSync(join(EXAMPLES, name, "export.py")) && "skip" in python) return t.skip(python.skip);
      const page = `examples/${name}/README.md`;
      const parts = partsOfPage(projectFile(page), page);
      // The model was made before the server started.
      await walkPage(parts, join(folder, name), { ...shared, python: async () => "" });
    });
  }

  test("all are in the list, and the list is of what there is", () => {
    assert.ok(names.length >= LEAST, names.join());
    const listed = [...projectFile("examples/README.md").matchAll(/^\| \[(\S+)\]\(\1\) \|/gm)].map(
      ([, name]) => name!,
    );
    assert.deepEqual(listed.sort(), [...all].sort());
    for (const other of all.map(runBy))
      assert.ok(other === undefined || existsSync(join(ROOT, other)), other);
  });
});
