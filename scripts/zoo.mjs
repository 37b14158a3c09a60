// The model zoo: `npm run zoo` makes the models on first use (minutes), judges them and writes docs/model-zoo.md; `npm run zoo -- bert`
// judges some. `npm run zoo -- export` is another one: scripts/export-zoo.mjs.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exportZoo } from "./export-zoo.mjs";
import { cacheFolder } from "./made-once.mjs";
import { pythonEnv } from "./python-env.mjs";

if (process.argv[2] === "export") process.exit(await exportZoo(process.argv.slice(3)));

const root = fileURLToPath(new URL("..", import.meta.url));
const python = join(root, "scripts", "python");
const key = createHash("sha256");
for (const name of ["requirements.txt", "zoo_models.py", "make_zoo.py"])
  key.update(readFileSync(join(python, name)));
const folder = join(cacheFolder(), `zoo-${key.digest("hex").slice(0, 12)}`);

const env = await pythonEnv();
if (env.skip !== undefined) throw new Error(`the zoo needs PyTorch: ${env.skip}`);
mkdirSync(folder, { recursive: true });
const made = spawnSync(env.python, [join(python, "make_zoo.py"), folder], {
  stdio: ["ignore", "inherit", "ignore"],
});
if (made.status !== 0) throw new Error(`make_zoo.py ended with ${made.status ?? made.signal}`);

const names = process.argv.slice(2);
const page = names.length === 0 ? ["--page", join(root, "docs/model-zoo.md")] : [];
const main = join(root, "conformance/dist/zoo/main.js");
const run = spawnSync(process.execPath, [main, folder, ...names, ...page], { stdio: "inherit" });
process.exitCode = run.status ?? 1;
