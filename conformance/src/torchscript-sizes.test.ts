// Tests @sconce/torch on modules that PyTorch traced and scripted, asked at the example's and at other sizes: a packed part of
// `npm run oracle -- --sweep traced` and `--sweep scripted`.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { reportOf, sizesText, totalsText } from "./oracle/report.ts";
import { runOracle } from "./oracle/run-oracle.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What holds today: samples that pass, and runs at other sizes that equal PyTorch's. Both only rise. */
const FLOORS = { traced: { pass: 287, equal: 1587 }, scripted: { pass: 70, equal: 217 } };

for (const [kind, floor] of Object.entries(FLOORS)) {
  test(`${kind} modules answer as PyTorch at the example's and at other sizes`, async (t) => {
    const folder = join(root, "packages/torch/fixtures/sizes", kind);
    const files = readdirSync(folder).map((name) => join(folder, name));
    const report = reportOf(await runOracle({ files, jobs: 2, sampleTimeoutMs: 60_000 }));
    t.diagnostic(`${totalsText(report.totals)}; at other sizes: ${sizesText(report.sizes)}`);
    assert.deepEqual(report.failures, []);
    assert.ok(report.totals.pass >= floor.pass, `${report.totals.pass} pass, ${floor.pass} did before`);
    assert.ok(report.sizes.equal >= floor.equal, `${report.sizes.equal} equal, ${floor.equal} were before`);
    assert.equal(report.sizes.lax, 0, "sizes that PyTorch refuses were answered");
  });
}
