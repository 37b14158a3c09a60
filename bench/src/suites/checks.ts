import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openBelow } from "../../../packages/server/dist/base/open-below.js";
import type { Signature } from "../../../packages/server/dist/base/signature.js";
import type { NamedTensor } from "../../../packages/server/dist/base/tensor.js";
import { compileInputCheck } from "../../../packages/server/dist/infer/input-check.js";
import type { HostedModel } from "../../../packages/server/dist/runtime/model-host.js";
import { loadModel } from "../../../packages/server/dist/runtime/onnx/load-model.js";
import { LoadedFiles } from "../../../packages/server/dist/runtime/onnx/loaded-files.js";
import { PLAIN_LOAD } from "../../../packages/server/dist/runtime/plain-load.js";
import { median } from "../median.ts";
import { BENCH_MODELS, pythonWithModels, SCRIPTS } from "../python-with-models.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const ROUNDS = 20;
const DIGITS = fileURLToPath(new URL("../../../examples/models/digits.pt2", import.meta.url));

/** What it costs to check indices at the edge, and the model's files around each run. */
export const checks: Suite = {
  summary: "processor time per run, with a check and without it, in turn, in microseconds",
  async run(print) {
    await promisify(execFile)(await pythonWithModels(), [
      join(SCRIPTS, "python/bench_checks.py"),
      BENCH_MODELS,
    ]);
    const rows = [
      await indices("encoder", 1),
      await indices("tables", 1),
      await indices("tables", 64),
      await files(),
    ];
    print(table(rows));
    return rows;
  },
};

type Row = Readonly<Record<string, string | number>>;

async function indices(name: string, rows: number): Promise<Row> {
  const model = await load(join(BENCH_MODELS, `${name}.pt2`));
  const { signature } = model.description;
  if (!signature.inputs.some((spec) => spec.indices !== undefined))
    throw new Error(`nothing is checked at the edge of ${name}`);
  const open: Signature = { ...signature, inputs: signature.inputs.map(({ indices: _, ...spec }) => spec) };
  const inputs = inputsOf(signature, rows);
  const [checked, unchecked] = [compileInputCheck(signature), compileInputCheck(open)];
  return compared(`indices of ${name}, ${rows} rows`, name === "encoder" ? 1 : 50, {
    with: () => model.run(checked(inputs)),
    without: () => model.run(unchecked(inputs)),
  });
}

async function files(): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), "sconce-bench-checks-"));
  try {
    const file = join(folder, "digits.pt2");
    copyFileSync(DIGITS, file);
    const model = await load(file);
    const held = new LoadedFiles();
    held.hold(openBelow(folder, file));
    const inputs = inputsOf(model.description.signature, 1);
    const row = await compared("files of digits, 1 row", 500, {
      // What a larger model pays: one of this size is copied, and its runs check nothing.
      with: () => {
        held.checkBeforeRun();
        const result = model.run(inputs);
        held.check();
        return result;
      },
      without: () => model.run(inputs),
    });
    held.close();
    return row;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Medians of the processor time of a run, in blocks of `runs` by turns. */
async function compared(
  what: string,
  runs: number,
  ways: Readonly<Record<"with" | "without", () => unknown>>,
): Promise<Row> {
  const times = { with: [] as number[], without: [] as number[] };
  for (let round = 0; round <= ROUNDS; round++) {
    for (const way of round % 2 === 0 ? (["with", "without"] as const) : (["without", "with"] as const)) {
      const before = process.cpuUsage();
      for (let i = 0; i < runs; i++) await ways[way]();
      const { user, system } = process.cpuUsage(before);
      // The first round warms up.
      if (round > 0) times[way].push((user + system) / runs);
    }
  }
  const [on, off] = [median(times.with), median(times.without)];
  const share = median(times.with.map((time, i) => time / times.without[i]!)) - 1;
  return { what, "with µs": on, "without µs": off, "more %": 100 * share };
}

function inputsOf({ inputs }: Signature, rows: number): NamedTensor[] {
  return inputs.map(({ name, datatype, dims }) => {
    const shape = dims.map((dim) => (typeof dim === "number" ? dim : rows));
    const length = shape.reduce((product, size) => product * size, 1);
    const { buffer } =
      datatype === "INT64"
        ? BigInt64Array.from({ length }, (_, i) => BigInt((i * 7919) % 10_000))
        : Float32Array.from({ length }, (_, i) => (i % 17) / 17);
    return { name, datatype, shape, bytes: new Uint8Array(buffer) };
  });
}

function load(file: string): Promise<HostedModel> {
  const options = { ...PLAIN_LOAD, loadTimeoutMs: 600_000, executionTimeoutMs: 600_000 };
  const spec = { name: "m", version: "1", file, root: dirname(file), options };
  return loadModel({ spec, instance: 0, wantsDigest: false }, () => {});
}
