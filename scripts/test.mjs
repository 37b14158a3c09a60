// Runs every compiled test of the workspace. Arguments are passed on as file name filters.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const roots = ["packages/protocol", "packages/torch", "packages/server", "conformance"];
const filters = process.argv.slice(2);
const files = roots
  .flatMap((root) => {
    const dist = join(root, "dist");
    return readdirSync(dist, { recursive: true, encoding: "utf8" }).map((name) => join(dist, name));
  })
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)));

const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { stdio: "inherit" });
process.exitCode = run.status ?? 1;
