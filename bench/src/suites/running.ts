import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type OrtWork, ortRun } from "../ort-run.ts";
import { BENCH_MODELS, pythonWithModels, SCRIPTS } from "../python-with-models.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const MODELS = ["digits", "minilm", "bert-base", "resnet50", "vit-b-16"];
const THREADS = 1;
const LIMIT_MS = 20 * 60_000;

interface PyTorchLine {
  readonly model: string;
  readonly batch: number;
  readonly inputs: OrtWork["shapes"];
  readonly eagerMs: number;
  readonly compiledMs: number | null;
}

/** PyTorch's figures, model by model, so that both sides of a row are measured within the same minute. */
async function pytorch(python: string, folder: string, model: string): Promise<readonly PyTorchLine[]> {
  const args = [join(SCRIPTS, "python/bench_models.py"), folder, String(THREADS), model];
  const { stdout } = await promisify(execFile)(python, args, { timeout: LIMIT_MS, maxBuffer: 2 ** 24 });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as PyTorchLine);
}

export const running: Suite = {
  summary: `milliseconds per run on ${THREADS} thread: ONNX Runtime from the .pt2, beside eager PyTorch and torch.compile`,
  async run(print) {
    const folder = BENCH_MODELS;
    mkdirSync(folder, { recursive: true });
    const python = await pythonWithModels();
    const rows: Record<string, string | number>[] = [];
    for (const model of MODELS) {
      for (const line of await pytorch(python, folder, model)) {
        const row = await measure(line, folder);
        rows.push(row);
        print(JSON.stringify(row));
      }
    }
    print(table(rows));
    return rows;
  },
};

async function measure(line: PyTorchLine, folder: string): Promise<Record<string, string | number>> {
  const work = {
    program: join(folder, `${line.model}.pt2`),
    inputs: join(folder, `${line.model}-${line.batch}.bin`),
    shapes: line.inputs,
    threads: THREADS,
  };
  const float = await ortRun({ ...work, precision: "float32" });
  const row: Record<string, string | number> = {
    model: line.model,
    batch: line.batch,
    "eager ms": line.eagerMs,
    "compile ms": line.compiledMs ?? "–",
    "sconce ms": float.medianMs,
    "eager / sconce": line.eagerMs / float.medianMs,
    "compile / sconce": line.compiledMs === null ? "–" : line.compiledMs / float.medianMs,
  };
  for (const precision of ["int8", "int4"] as const) {
    try {
      const run = await ortRun({ ...work, precision });
      row[`${precision} ms`] = run.medianMs;
      row[`${precision} cosine`] = cosine(run.output, float.output).toFixed(5);
    } catch (error) {
      // A model of convolutions alone has no product to store in 4 bits.
      row[`${precision} ms`] = "–";
      row[`${precision} cosine`] =
        error instanceof Error && error.name === "ModelFileError" ? "–" : String(error);
    }
  }
  return row;
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, left, right] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    left += a[i]! * a[i]!;
    right += b[i]! * b[i]!;
  }
  return dot / Math.sqrt(left * right);
}
