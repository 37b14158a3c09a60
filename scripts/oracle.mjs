// The op oracle from the command line: `npm run oracle -- --filter add`. With --full it runs all samples, which are made on first use.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, pythonEnv } from "./python-env.mjs";

const SOURCES = ["requirements.txt", "fixture_pack.py", "make_op_fixtures.py"];
const root = fileURLToPath(new URL("..", import.meta.url));
const python = join(root, "scripts", "python");

async function fullFolder() {
  const key = createHash("sha256");
  for (const name of SOURCES) key.update(readFileSync(join(python, name)));
  const folder = join(cacheFolder(), `op-db-${key.digest("hex").slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  const env = await pythonEnv();
  if (env.skip !== undefined) throw new Error(`the full set needs PyTorch: ${env.skip}`);
  mkdirSync(cacheFolder(), { recursive: true });
  const temporary = mkdtempSync(`${folder}.tmp-`);
  try {
    console.error(`making the full set of op samples in ${folder} (once; this takes minutes)`);
    const script = join(python, "make_op_fixtures.py");
    const made = spawnSync(env.python, [script, "--full", temporary], { stdio: ["ignore", 2, "ignore"] });
    if (made.status !== 0) throw new Error(`make_op_fixtures.py ended with ${made.status ?? made.signal}`);
    renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}

const given = process.argv.slice(2);
const fixtures = join(root, "packages/torch/fixtures");
const opDb = given.includes("--full") ? await fullFolder() : join(fixtures, "op-db");
const main = join(root, "conformance/dist/oracle/main.js");
const args = [main, "--folder", opDb, "--folder", join(fixtures, "modules")];
const run = spawnSync(process.execPath, [...args, ...given.filter((arg) => arg !== "--full")], {
  stdio: "inherit",
});
process.exitCode = run.status ?? 1;
