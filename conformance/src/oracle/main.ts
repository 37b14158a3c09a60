// The op oracle from the command line: npm run oracle -- [--filter NAME,…] [--target aten.add.Tensor] [--sample ID] [--verbose]
// [--json FILE] [--limit N] [--folder FOLDER]. A name is a pack of packages/torch/fixtures; `*` stands for any text.
// Each sample has to be answered alike when ONNX Runtime may rewrite the graph and when not, also between transpositions and activations;
// --optimised-only leaves that out.
// With --sweep edges [--seed N] [--kind NAME]: inputs at the edge of what programs take (scripts/python/edges), answered by PyTorch now.
// With --sweep traced or --sweep scripted: op samples and modules as TorchScript, asked at several sizes.
// With --sweep aliases [--seed N]: programs that write in place where sizes decide what is a copy.
// With --sweep modules [--seed N] [--count 300] [--form scripted|traced|exported]: random modules with branches, loops, containers and writes in place.
// With --sweep dtypes [--exported]: traces, each tensor in every dtype in turn; what PyTorch raises for has to be refused when the program is read.
// With --sweep quantized: the ops that quantize, on every dtype and granularity (scripts/python/quantized).
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  makeAliasSweep,
  makeDtypeSweep,
  makeModuleSweep,
  makeQuantizedSweep,
  makeSizeSweep,
  makeSweep,
} from "./make-sweep.ts";
import { reportLines, reportOf } from "./report.ts";
import { runOracle } from "./run-oracle.ts";

const fixtures = fileURLToPath(new URL("../../../packages/torch/fixtures", import.meta.url));
const { values } = parseArgs({
  options: {
    folder: { type: "string", multiple: true },
    sweep: { type: "string" },
    seed: { type: "string", default: "0" },
    kind: { type: "string", multiple: true, default: [] },
    filter: { type: "string", default: "*" },
    target: { type: "string" },
    sample: { type: "string" },
    json: { type: "string" },
    limit: { type: "string", default: "40" },
    jobs: { type: "string", default: "2" },
    form: { type: "string", default: "scripted" },
    count: { type: "string", default: "300" },
    exported: { type: "boolean", default: false },
    "optimised-only": { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

/** Names with `*` as a wildcard, separated by commas. */
function matcher(filter: string): (name: string) => boolean {
  const patterns = filter.split(",").map((name) => {
    const text = name.replace(/[.+^${}()|[\]\\?]/g, "\\$&").replaceAll("*", ".*");
    return new RegExp(`^${text}$`);
  });
  return (name) => patterns.some((pattern) => pattern.test(name));
}

const SWEEPS = ["aliases", "dtypes", "edges", "modules", "quantized", "scripted", "traced"] as const;

function isSweep(name: string): name is (typeof SWEEPS)[number] {
  return (SWEEPS as readonly string[]).includes(name);
}

/** Where the packs of this run are: committed ones, a folder that was named, or a sweep made for it in a folder that goes afterwards. */
async function packFolders(): Promise<readonly string[]> {
  if (values.sweep === undefined)
    return values.folder ?? ["op-db", "modules", "quantized", "odd"].map((name) => join(fixtures, name));
  const { sweep } = values;
  if (!isSweep(sweep)) throw new Error(`there is no sweep called ${sweep}; there are: ${SWEEPS.join(", ")}`);
  const python = process.env["SCONCE_TEST_PYTHON"];
  if (python === undefined) throw new Error("a sweep needs PyTorch; run it as `npm run oracle`");
  const folder = mkdtempSync(join(tmpdir(), "sconce-sweep-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const filter = values.filter.split(",");
  if (sweep === "edges")
    await makeSweep({ python, folder, seed: Number(values.seed), filter, kinds: values.kind });
  else if (sweep === "aliases") await makeAliasSweep({ python, folder, seed: Number(values.seed) });
  else if (sweep === "modules")
    await makeModuleSweep({
      python,
      folder,
      seed: Number(values.seed),
      form: values.form,
      count: values.count,
    });
  else if (sweep === "dtypes") await makeDtypeSweep({ python, folder, filter, isExported: values.exported });
  else if (sweep === "quantized") await makeQuantizedSweep({ python, folder, filter });
  else await makeSizeSweep(sweep, { python, folder, filter });
  return [folder];
}

const matches = matcher(values.filter);
const folders = await packFolders();
const files = folders.flatMap((folder) =>
  readdirSync(folder)
    // Whoever made a sweep has looked at the filter.
    .filter(
      (name) =>
        name.endsWith(".pack") && (values.sweep !== undefined || matches(name.slice(0, -".pack".length))),
    )
    .map((name) => join(folder, name)),
);
const results = await runOracle({
  files,
  sample: values.sample,
  target: values.target,
  withoutOptimiser: !values["optimised-only"],
  jobs: Number(values.jobs),
  sampleTimeoutMs: 20_000,
});
if (values.verbose) {
  for (const { op, id, targets, verdict } of results) {
    console.log(
      `${verdict.kind}: ${op} ${id} [${targets.join(" ")}]${verdict.kind === "pass" ? "" : `: ${verdict.detail}`}`,
    );
  }
}
const report = reportOf(results);
const perOp = values.filter !== "*" || values.verbose;
for (const line of reportLines(report, { perOp, limit: Number(values.limit) })) console.log(line);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ report, results }, null, 1));
process.exitCode = report.failures.length === 0 && results.length > 0 ? 0 : 1;
