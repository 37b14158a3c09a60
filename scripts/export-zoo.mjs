// The export zoo: `npm run zoo -- export` makes models as their users have them (once), has `sconce export` export them, and writes
// docs/export-zoo.md; `npm run zoo -- export bert` exports some.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "./made-once.mjs";
import { pythonEnv } from "./python-env.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const python = join(root, "scripts", "python");

/** Judges them all, or those with the names. The exit code. */
export async function exportZoo(names) {
  const key = createHash("sha256");
  for (const name of ["requirements.txt", "zoo_models.py", "make_export_sources.py"])
    key.update(readFileSync(join(python, name)));
  const folder = join(cacheFolder(), `export-zoo-${key.digest("hex").slice(0, 12)}`);
  const env = await pythonEnv();
  if (env.skip !== undefined) throw new Error(`the zoo needs PyTorch: ${env.skip}`);
  mkdirSync(folder, { recursive: true });
  const made = spawnSync(env.python, [join(python, "make_export_sources.py"), folder, ...names], {
    stdio: ["ignore", "inherit", "ignore"],
  });
  if (made.status !== 0) throw new Error(`make_export_sources.py ended with ${made.status ?? made.signal}`);
  const page = names.length === 0 ? ["--page", join(root, "docs/export-zoo.md")] : [];
  const main = join(root, "conformance/dist/export-zoo/main.js");
  const run = spawnSync(process.execPath, [main, folder, env.python, ...names, ...page], {
    stdio: "inherit",
    env: { ...process.env, PYTHONPATH: join(python, "vision_ops"), HF_HUB_OFFLINE: "1" },
  });
  return run.status ?? 1;
}
