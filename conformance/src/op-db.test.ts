// Tests @sconce/torch on PyTorch's own op samples, modules and programs of codes, as packed in packages/torch/fixtures.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { reportOf, totalsText } from "./oracle/report.ts";
import { runOracle } from "./oracle/run-oracle.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folders = ["op-db", "modules", "quantized", "odd"].map((name) =>
  join(root, "packages/torch/fixtures", name),
);

/** Ops that move, cut and join elements, and those that ONNX Runtime merges with others; these have to be answered alike where it may not. `npm run oracle` asks all. */
const PART =
  /^(nn\.functional\.(pad|conv|batch_norm|layer_norm|gelu|silu|hardswish|interpolate|pixel)|transpose|permute|cat|stack|roll|flip|tile|repeat|split|slice|gather|addmv|mv|matmul|bmm|addmm|linear|softmax|squeeze|unsqueeze|expand|attention|in_place)/;

/**
 * What holds today. `pass` and `corePass` only rise. `known` names samples that are wrong or end in an error: it only shrinks, and has
 * to be empty before a release.
 */
const floor = JSON.parse(readFileSync(join(root, "conformance/op-db-floor.json"), "utf8")) as {
  readonly pass: number;
  readonly corePass: number;
  readonly known: readonly string[];
};

test("PyTorch's op samples: nothing wrong, no internal error, and no fewer pass than before", async (t) => {
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const isRewritten = (file: string): boolean => PART.test(basename(file));
  const how = { jobs: 2, sampleTimeoutMs: 60_000 };
  const results = [
    ...(await runOracle({ ...how, files: files.filter(isRewritten), withoutOptimiser: true })),
    ...(await runOracle({ ...how, files: files.filter((file) => !isRewritten(file)) })),
  ];
  const report = reportOf(results);
  t.diagnostic(`op samples: ${totalsText(report.totals)}`);
  t.diagnostic(`of Core ATen alone: ${totalsText(report.core)}`);
  const failed = new Set(report.failures.map(({ sample }) => sample));
  assert.deepEqual(
    report.failures.filter(({ sample }) => !floor.known.includes(sample)),
    [],
  );
  assert.deepEqual(
    floor.known.filter((sample) => !failed.has(sample)),
    [],
    "these are right by now: take them from the list",
  );
  assert.ok(report.totals.pass >= floor.pass, `${report.totals.pass} pass, ${floor.pass} did before`);
  assert.ok(
    report.core.pass >= floor.corePass,
    `${report.core.pass} of Core ATen pass, ${floor.corePass} did before`,
  );
});
