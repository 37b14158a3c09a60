import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type OrtWork, ortRun } from "../ort-run.ts";
import { BENCH_MODELS, pythonWithModels, SCRIPTS } from "../python-with-models.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const THREADS = 1;
const LIMIT_MS = 20 * 60_000;

interface PyTorchLine {
  readonly kind: string;
  readonly name: string;
  readonly inputs: OrtWork["shapes"];
  readonly eagerMs: number;
}

/** Programs that PyTorch has quantized, beside the float one. */
export const quantized: Suite = {
  summary: `milliseconds per run on ${THREADS} thread: BERT-base (128 tokens) as PyTorch quantizes it`,
  async run(print) {
    const script = join(SCRIPTS, "python/bench_quantized.py");
    const { stdout } = await promisify(execFile)(
      await pythonWithModels(),
      [script, BENCH_MODELS, String(THREADS)],
      { timeout: LIMIT_MS, maxBuffer: 2 ** 24 },
    );
    const lines = stdout.trim().split("\n");
    const rows: Record<string, string | number>[] = [];
    let floatMs: number | undefined;
    for (const line of lines) {
      const { kind, name, inputs, eagerMs } = JSON.parse(line) as PyTorchLine;
      const { medianMs, output } = await ortRun({
        program: join(BENCH_MODELS, `${name}.pt2`),
        inputs: join(BENCH_MODELS, "bert.bin"),
        shapes: inputs,
        threads: THREADS,
        precision: "float32",
      });
      floatMs ??= medianMs;
      rows.push({
        program: kind,
        "eager ms": eagerMs,
        "sconce ms": medianMs,
        "float / this": floatMs / medianMs,
        difference: difference(output, join(BENCH_MODELS, `${name}.bin`)),
      });
      print(JSON.stringify(rows.at(-1)));
    }
    print(table(rows));
    return rows;
  },
};

/** The root of the mean square of how the answer differs from PyTorch's. */
function difference(output: Float32Array, file: string): string {
  const want = new Float32Array(Uint8Array.from(readFileSync(file)).buffer);
  const sum = want.reduce((total, value, i) => total + (value - output[i]!) ** 2, 0);
  return Math.sqrt(sum / want.length).toExponential(1);
}
