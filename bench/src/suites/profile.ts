import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { BENCH_MODELS, pythonWithModels, SCRIPTS } from "../python-with-models.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const LIMIT_MS = 20 * 60_000;
const TOP = 5;
const MODELS = [
  { name: "encoder", rows: 1, runs: 10 },
  { name: "resnet50", rows: 1, runs: 10 },
  { name: "digits", rows: 64, runs: 200 },
] as const;

/** What `sconce profile --json` prints, as far as it is looked at here. */
interface Report {
  readonly plainMs: number;
  readonly profiledMs: number;
  readonly operationsMs: number;
  readonly notingMs: number;
  readonly attributed: number;
  readonly modules: readonly { readonly name: string; readonly ms: number }[];
}

/** Whether the modules that ONNX Runtime's profile leads back to are those that PyTorch's own profiler names. */
export const profile: Suite = {
  summary: `where a model's time goes, by sconce profile and by torch.profiler on the same program: shares of the ${TOP} modules that PyTorch is longest in`,
  async run(print, { only }) {
    const python = await pythonWithModels();
    const results = [];
    for (const model of MODELS.filter(({ name }) => only === undefined || name.includes(only))) {
      const file = join(BENCH_MODELS, `${model.name}.pt2`);
      if (!existsSync(file)) await make(python, model.name);
      const translated = await asked(file, model, []);
      const reference = await asked(file, model, ["--runtime", "python", "--python", python]);
      const rows = compared(translated, reference);
      const { plainMs, profiledMs, operationsMs, notingMs, attributed } = translated;
      const coverage = (attributed * operationsMs) / profiledMs;
      // Noting operations down is no part of the model.
      const ownCoverage = (attributed * operationsMs) / (profiledMs - notingMs);
      print(`${model.name}: ${model.rows} rows, 1 thread`);
      print(
        `${plainMs.toFixed(3)} ms a run, ${profiledMs.toFixed(3)} while profiled; to a module ${percent(attributed)} of the operations' time, ${percent(coverage)} of the whole run, ${percent(ownCoverage)} of it without what noting operations takes`,
      );
      print(table(rows));
      results.push({ ...model, plainMs, profiledMs, operationsMs, attributed, coverage, ownCoverage, rows });
    }
    return results;
  },
};

/** The encoder is BERT-base's size: `checks` makes it. */
async function make(python: string, name: string): Promise<void> {
  const [script, args] =
    name === "encoder"
      ? ["python/bench_checks.py", [BENCH_MODELS]]
      : ["python/bench_models.py", [BENCH_MODELS, "0", name]];
  await promisify(execFile)(python, [join(SCRIPTS, script), ...args], { timeout: LIMIT_MS });
}

async function asked(
  file: string,
  { rows, runs }: { readonly rows: number; readonly runs: number },
  more: readonly string[],
): Promise<Report> {
  const args = [
    "profile",
    file,
    "--json",
    "--rows",
    String(rows),
    "--runs",
    String(runs),
    "--threads",
    "1",
    ...more,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [...SCONCE, ...args], {
    timeout: LIMIT_MS,
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(stdout) as Report;
}

/** The modules that PyTorch is longest in, and their shares and places in both. */
function compared(translated: Report, reference: Report): Record<string, string | number>[] {
  const named = (report: Report) => report.modules.filter(({ name }) => name !== "");
  const ours = named(translated);
  return named(reference)
    .slice(0, TOP)
    .map(({ name, ms }, i) => {
      const at = ours.findIndex((module) => module.name === name);
      return {
        module: name,
        "torch.profiler": percent(ms / reference.operationsMs),
        "sconce profile": at < 0 ? "–" : percent(ours[at]!.ms / translated.operationsMs),
        "place there": String(i + 1),
        "place here": at < 0 ? "–" : String(at + 1),
      };
    });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
