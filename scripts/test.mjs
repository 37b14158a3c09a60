// Runs compiled tests of the workspace: all, or those whose file names contain an argument (`npm test -- digits`). `--unit` adds the unit
// tests: those of the packages, without what takes long. They need neither PyTorch nor a built server.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pythonEnv } from "./python-env.mjs";
import { programsOf, systemProgram, variablesOf } from "./system-packages.mjs";

const ROOTS = [
  "packages/protocol",
  "packages/client",
  "packages/torch",
  "packages/server",
  "conformance",
  "bench",
];
/** Tests of the packages that are not unit tests: they run processes, large models, or thousands of cases. */
const LONG = [
  "server/dist/cli/quantize.test.js",
  "server/dist/models/registry-model.test.js",
  "server/dist/runtime/onnx/onnx-runtime.test.js",
  "server/dist/worker/worker-process.test.js",
  "torch/dist/fuzz/corpus.test.js",
  "torch/dist/lower/fixtures.test.js",
  "torch/dist/lower/coverage.test.js",
  "torch/dist/torchscript/fixtures.test.js",
  "torch/dist/torchscript/scripted-fixtures.test.js",
];

const isUnitRun = process.argv.includes("--unit");
const filters = process.argv.slice(2).filter((argument) => argument !== "--unit");
const isUnit = (file) => file.startsWith("packages") && !LONG.some((long) => file.endsWith(long));
const isWanted = (file) =>
  (isUnitRun && isUnit(file)) ||
  (!isUnitRun && filters.length === 0) ||
  filters.some((filter) => file.includes(filter));
const files = ROOTS.flatMap((root) => {
  const dist = join(root, "dist");
  return readdirSync(dist, { recursive: true, encoding: "utf8" }).map((name) => join(dist, name));
})
  .filter((file) => file.endsWith(".test.js"))
  // A test that was renamed leaves its compiled form behind.
  .filter((file) => existsSync(file.replace(/\bdist\b/, "src").replace(/\.js$/, ".ts")))
  .filter(isWanted);

// Node would look for tests of its own then, and run all of them.
if (files.length === 0) {
  console.error(`no compiled test's file name contains ${filters.join(" or ")}`);
  process.exit(1);
}
const env = isUnitRun ? { skip: "unit tests need none" } : await pythonEnv();
if (!isUnitRun && env.skip !== undefined) console.error(`tests that need PyTorch are skipped: ${env.skip}`);
/** No test takes half as long; one that waits for ever must not keep the others from being told. */
const HUNG_MS = 900_000;
const programs = {};
for (const program of isUnitRun ? [] : programsOf(files.map((file) => readFileSync(file, "utf8")))) {
  const found = await systemProgram(program);
  if (found.skip !== undefined) console.error(`tests that need ${program} are skipped: ${found.skip}`);
  Object.assign(programs, variablesOf(program, found));
}
const run = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    "--test",
    "--test-reporter=spec",
    // Two cores, and one more file for the times in which others wait.
    "--test-concurrency=3",
    `--test-timeout=${HUNG_MS}`,
    ...files,
  ],
  {
    stdio: "inherit",
    env: {
      ...process.env,
      // Tests that run ONNX Runtime themselves leave no files of its telemetry either.
      ORT_DISABLE_TELEMETRY: "1",
      SCONCE_TEST_PYTHON: env.python ?? "",
      SCONCE_TEST_PYTHON_SKIP: env.skip ?? "",
      ...programs,
    },
  },
);
process.exitCode = run.status ?? 1;
