// Hard cases and numbers at their ends, answered by the built server and by PyTorch: `npm run never-wrong`, or `npm run never-wrong -- PATTERN`
// for the sweep's cases whose names match.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pythonEnv } from "./python-env.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const env = await pythonEnv();
if (env.skip !== undefined) throw new Error(`the cases need PyTorch: ${env.skip}`);
const folder = mkdtempSync(join(tmpdir(), "sconce-never-wrong-"));

function run(command, args) {
  const { status, signal } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) throw new Error(`${args[0]} ended with ${status ?? signal}`);
}

try {
  for (const script of [
    "never_wrong_cases.py",
    "never_wrong_kinds.py",
    "never_wrong_numbers.py",
    "never_wrong_odd.py",
  ])
    run(env.python, [join(root, "scripts/python", script), folder, ...process.argv.slice(2)]);
  run(process.execPath, [join(root, "conformance/dist/never-wrong/main.js"), folder]);
} finally {
  rmSync(folder, { recursive: true });
}
