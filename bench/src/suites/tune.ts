import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median } from "../median.ts";
import { BENCH_MODELS } from "../python-with-models.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const LIMIT_MS = 60 * 60_000;
const DIGITS = fileURLToPath(new URL("../../../examples/models/digits.pt2", import.meta.url));
/** What `npm run bench -- profile` makes lies in BENCH_MODELS; a model that is not there is left out, with a word. */
const MODELS = [
  { name: "digits", file: DIGITS, slo: "p99=50ms", window: "1s" },
  { name: "resnet50", file: join(BENCH_MODELS, "resnet50.pt2"), slo: "p99=2s", window: "8s" },
  { name: "encoder", file: join(BENCH_MODELS, "encoder.pt2"), slo: "p99=5s", window: "15s" },
] as const;

/** What `--quick` takes: models whose runs are short, a coarse grid, and windows that show which settings are of another kind rather than the last 5 %. */
const SMALL_MODELS = [
  { name: "digits", file: DIGITS, slo: "p99=50ms", window: "500ms" },
  { name: "tables", file: join(BENCH_MODELS, "tables.pt2"), slo: "p99=100ms", window: "500ms" },
  { name: "minilm", file: join(BENCH_MODELS, "minilm.pt2"), slo: "p99=1s", window: "1s" },
] as const;

interface Effort {
  readonly models: readonly Model[];
  readonly budget: string;
  readonly batches: readonly number[];
  readonly delaysMs: readonly number[];
  readonly memory: readonly string[];
  /** Of the two that are found, in turn. */
  readonly rounds: number;
}

const FULL: Effort = {
  models: MODELS,
  budget: "20m",
  batches: [1, 4, 8, 16, 32, 64, 128],
  delaysMs: [0, 1, 2, 5, 10],
  memory: ["fast", "shared"],
  rounds: 5,
};
const QUICK: Effort = {
  models: SMALL_MODELS,
  budget: "45s",
  batches: [1, 16],
  delaysMs: [0, 2],
  memory: ["fast"],
  rounds: 3,
};

/** What `sconce tune --json` prints, as far as it is looked at here. */
interface Report {
  readonly runs: number;
  readonly windows: number;
  readonly seconds: number;
  readonly chosen: Readonly<Record<string, string | number>>;
  readonly tried: readonly {
    readonly outcomes: readonly { readonly meets: boolean; readonly perSecond: number }[];
  }[];
}

/** Whether the search finds what trying everything finds. */
export const tune: Suite = {
  summary:
    "sconce tune beside an exhaustive grid of the same settings: requests/s of what each finds, measured in turn, and the runs that it took",
  async run(print, { only, isQuick }) {
    const effort = isQuick ? QUICK : FULL;
    const results = [];
    for (const model of effort.models.filter(({ name }) => only === undefined || name.includes(only))) {
      if (!existsSync(model.file)) {
        print(`${model.name}: left out, ${model.file} is not there (npm run bench -- profile makes it)`);
        continue;
      }
      const folder = mkdtempSync(join(tmpdir(), "sconce-bench-tune-"));
      try {
        results.push(await compared(model, folder, effort));
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
    if (results.length > 0) print(table(results));
    return results;
  },
};

interface Model {
  readonly name: string;
  readonly file: string;
  readonly slo: string;
  readonly window: string;
}

async function compared(
  model: Model,
  folder: string,
  effort: Effort,
): Promise<Record<string, string | number>> {
  const file = join(folder, model.name, `${model.name}.pt2`);
  mkdirSync(join(folder, model.name));
  copyFileSync(model.file, file);
  const found = await asked(file, model, ["--budget", effort.budget]);
  const grid = gridOf(availableParallelism(), effort);
  let best = { perSecond: 0, flags: [] as readonly string[] };
  for (const flags of grid) {
    const perSecond = await carried(file, model, flags);
    if (perSecond > best.perSecond) best = { perSecond, flags };
  }
  const chosen = flagsOf(found.chosen);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < effort.rounds; round++) {
    ours.push(await carried(file, model, chosen));
    theirs.push(await carried(file, model, best.flags));
  }
  return {
    model: model.name,
    slo: model.slo,
    "runs of tune": found.runs,
    "of the grid": grid.length,
    "tune, requests/s": median(ours),
    "grid, requests/s": median(theirs),
    "tune / grid": median(ours) / median(theirs),
    "tune chose": chosen.join(" "),
    "the grid": best.flags.join(" "),
  };
}

/** Every combination that keeps instances × threads within the processors, as flags. */
function gridOf(cores: number, { batches, delaysMs, memory: modes }: Effort): readonly (readonly string[])[] {
  const counts = [1, 2, 4, 8, 16, 32].filter((count) => count <= cores);
  return counts.flatMap((instances) =>
    [...counts.filter((threads) => instances * threads <= cores), "auto" as const].flatMap((threads) =>
      batches.flatMap((maxBatchSize) =>
        delaysMs.flatMap((delayMs) =>
          modes.map((memory) =>
            flagsOf({ instances, threads, maxBatchSize, maxQueueDelayMs: delayMs, memory }),
          ),
        ),
      ),
    ),
  );
}

function flagsOf(point: Readonly<Record<string, string | number>>): readonly string[] {
  const { instances, threads, maxBatchSize, maxQueueDelayMs, memory } = point;
  return [
    `--instances=${instances}`,
    `--threads=${threads}`,
    `--max-batch-size=${maxBatchSize}`,
    `--max-queue-delay=${maxQueueDelayMs}ms`,
    `--memory=${memory}`,
  ];
}

/** What one point carries: the first run of the command, which ends its search at once. */
async function carried(file: string, model: Model, flags: readonly string[]): Promise<number> {
  const { tried } = await asked(file, model, ["--budget", "1s", "--rounds", "3", ...flags]);
  const first = tried.flatMap(({ outcomes }) => outcomes).find(({ meets }) => meets);
  return first?.perSecond ?? 0;
}

async function asked(file: string, { slo, window }: Model, more: readonly string[]): Promise<Report> {
  const args = ["tune", file, "--json", "--protocol", "binary", "--slo", slo, "--window", window, ...more];
  const { stdout } = await promisify(execFile)(process.execPath, [...SCONCE, ...args], {
    timeout: LIMIT_MS,
    maxBuffer: 2 ** 28,
    // Exit code 1 says that nothing kept the latency, which is a result of the grid like any other.
  }).catch((error: { readonly stdout?: string }) => {
    if (!error.stdout) throw error;
    return { stdout: error.stdout };
  });
  return JSON.parse(stdout) as Report;
}
