// Runs every compiled test of the workspace. Arguments are file name filters: `npm test -- digits`.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pythonEnv } from "./python-env.mjs";

const ROOTS = ["packages/protocol", "packages/torch", "packages/server", "conformance"];
const filters = process.argv.slice(2);
const files = ROOTS.flatMap((root) => {
  const dist = join(root, "dist");
  return readdirSync(dist, { recursive: true, encoding: "utf8" }).map((name) => join(dist, name));
})
  .filter((name) => name.endsWith(".test.js"))
  // A test that was renamed leaves its compiled form behind.
  .filter((name) => existsSync(name.replace(/\bdist\b/, "src").replace(/\.js$/, ".ts")))
  .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)));

// Node would look for tests of its own then, and run all of them.
if (files.length === 0) {
  console.error(`no compiled test's file name contains ${filters.join(" or ")}`);
  process.exit(1);
}
const env = await pythonEnv();
if (env.skip !== undefined) console.error(`tests that need PyTorch are skipped: ${env.skip}`);
const run = spawnSync(
  process.execPath,
  ["--enable-source-maps", "--test", "--test-reporter=spec", "--test-concurrency=2", ...files],
  {
    stdio: "inherit",
    env: {
      ...process.env,
      // Tests that run ONNX Runtime themselves leave no files of its telemetry either.
      ORT_DISABLE_TELEMETRY: "1",
      SCONCE_TEST_PYTHON: env.python ?? "",
      SCONCE_TEST_PYTHON_SKIP: env.skip ?? "",
    },
  },
);
process.exitCode = run.status ?? 1;
