// Tests the packages as `npm pack` makes them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DIGITS_FOLDER, MODELS_FOLDER } from "./expected-digits.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PUBLISHED = ["@sconce/protocol", "@sconce/client", "@sconce/torch", "sconce"] as const;

/** Whether packages can be installed here; a machine without a package index still runs every other test. */
async function hasIndex(): Promise<boolean> {
  return run("npm", ["view", "pino", "version"], { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}

/** Bytes of all files below a folder, or of those that are wanted. */
function bytesBelow(folder: string, isWanted: (path: string) => boolean = () => true): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(isWanted)
    .reduce((sum, path) => sum + statSync(path).size, 0);
}

describe("published packages", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-pack-"));
  const tarball = (name: string): string => {
    const prefix = `${name.replace("@", "").replace("/", "-")}-`;
    const file = readdirSync(folder).find(
      (entry) => entry.startsWith(prefix) && /^\d/.test(entry.slice(prefix.length)),
    );
    assert.ok(file !== undefined, `no tarball of ${name}`);
    return join(folder, file);
  };

  before(async () => {
    const workspaces = PUBLISHED.flatMap((name) => ["-w", name]);
    await run("npm", ["pack", "--pack-destination", folder, ...workspaces], { cwd: ROOT });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const name of PUBLISHED) {
    test(`${name} passes publint and attw`, async () => {
      await run("npx", ["publint", "--strict", tarball(name)], { cwd: ROOT });
      await run("npx", ["attw", "--profile", "esm-only", tarball(name)], { cwd: ROOT });
    });

    test(`${name} holds its licence and no tests`, async () => {
      const { stdout } = await run("tar", ["tzf", tarball(name)]);
      const files = stdout.trim().split("\n");
      assert.ok(files.includes("package/LICENSE"));
      assert.deepEqual(
        files.filter((file) => /\.test\.|fixtures\/|\.tsbuildinfo$/.test(file)),
        [],
      );
    });
  }

  test("sconce holds the Python worker, and nothing that Python left behind", async () => {
    const { stdout } = await run("tar", ["tzf", tarball("sconce")]);
    const files = stdout
      .trim()
      .split("\n")
      .filter((file) => file.startsWith("package/python/"));
    assert.ok(files.includes("package/python/start.py"));
    assert.ok(files.includes("package/python/sconce_worker/serve.py"));
    assert.deepEqual(
      files.filter((file) => !file.endsWith(".py")),
      [],
    );
  });

  test("a scratch project that installs the tarballs serves the example", async (t) => {
    if (!(await hasIndex())) {
      t.skip("no package index answers");
      return;
    }
    const scratch = join(folder, "scratch");
    await run("mkdir", [scratch]);
    writeFileSync(join(scratch, "package.json"), '{"private": true}');
    const tarballs = PUBLISHED.map(tarball);
    const { stderr } = await run(
      "npm",
      ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", ...tarballs],
      {
        cwd: scratch,
      },
    );
    assert.doesNotMatch(stderr, /npm warn/i);
    const modules = join(scratch, "node_modules");
    const engines = join(modules, "onnxruntime-node", "bin");
    const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
    const own = bytesBelow(engines, (path) => path.includes(join(process.platform, process.arch)));
    const others = bytesBelow(engines) - own;
    t.diagnostic(
      `an installation has ${mib(bytesBelow(modules) - others)}, of which the engine of ${process.platform} ${process.arch} ${mib(own)}; the engines of other platforms take ${mib(others)} more`,
    );
    assert.ok(own > 2 ** 20, "the engine of this platform is there");
    const question = [
      "sconce",
      "predict",
      `${MODELS_FOLDER}/digits.pt2`,
      "--input",
      `${DIGITS_FOLDER}/scans/7.png`,
    ];
    const { stdout } = await run("npx", question, { cwd: scratch });
    assert.match(stdout, /largest: 7 \(/);
  });
});
