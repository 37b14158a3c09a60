import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { reportOf, totalsText } from "./oracle/report.ts";
import { runOracle } from "./oracle/run-oracle.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folders = ["op-db", "modules"].map((name) => join(root, "packages/torch/fixtures", name));

/** Raised whenever more samples pass: what once passed keeps passing. */
const floor = JSON.parse(readFileSync(join(root, "conformance/op-db-floor.json"), "utf8")) as {
  readonly pass: number;
  readonly corePass: number;
};

test("PyTorch's op samples: nothing wrong, no internal error, and no fewer pass than before", async (t) => {
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const report = reportOf(await runOracle({ files, jobs: 2, sampleTimeoutMs: 20_000 }));
  t.diagnostic(`op samples: ${totalsText(report.totals)}`);
  t.diagnostic(`of Core ATen alone: ${totalsText(report.core)}`);
  assert.deepEqual(report.failures, []);
  assert.ok(report.totals.pass >= floor.pass, `${report.totals.pass} pass, ${floor.pass} did before`);
  assert.ok(
    report.core.pass >= floor.corePass,
    `${report.core.pass} of Core ATen pass, ${floor.corePass} did before`,
  );
});
