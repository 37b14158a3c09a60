import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  encodeModel,
  type OnnxModel,
  type QuantizedPrecision,
  quantizeModel,
  translateModel,
} from "@sconce/torch";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import { InferenceSession, Tensor } from "onnxruntime-node";

/** What to run: a `.pt2` and one batch of inputs, as bytes or a file of them, one tensor after the other. */
export interface OrtWork {
  readonly program: string;
  readonly inputs: string | Uint8Array;
  /** By name, in order: dtype and shape. */
  readonly shapes: Readonly<Record<string, readonly [string, readonly number[]]>>;
  readonly threads: number;
  readonly precision: "float32" | QuantizedPrecision;
  /** How long to run; default 4 s. */
  readonly budgetMs?: number;
}

export interface OrtFigures {
  readonly medianMs: number;
  /** What a loop that does nothing else comes to, slow runs included. */
  readonly meanMs: number;
  /** The first output, for comparing precisions. */
  readonly output: Float32Array;
}

const BUDGET_MS = 4000;
const MAX_RUNS = 300;

/** Translates, loads and times a program on ONNX Runtime in this process: the median of many runs after two warm-ups. */
export async function ortRun(work: OrtWork): Promise<OrtFigures> {
  const session = await openSession(work);
  const feeds = readFeeds(work, session.inputNames);
  const run = () => session.run(feeds);
  await run();
  const [first] = Object.values(await run());
  const timesMs: number[] = [];
  const { budgetMs = BUDGET_MS } = work;
  const maxRuns = work.budgetMs === undefined ? MAX_RUNS : Number.POSITIVE_INFINITY;
  const endMs = performance.now() + budgetMs;
  while (timesMs.length < 5 || (performance.now() < endMs && timesMs.length < maxRuns)) {
    const startedMs = performance.now();
    await run();
    timesMs.push(performance.now() - startedMs);
  }
  const meanMs = timesMs.reduce((sum, ms) => sum + ms, 0) / timesMs.length;
  timesMs.sort((a, b) => a - b);
  const output = Float32Array.from(first!.data as Float32Array);
  await session.release();
  return { medianMs: timesMs[timesMs.length >> 1]!, meanMs, output };
}

function openSession({ program, threads, precision }: OrtWork): Promise<InferenceSession> {
  const source = openFileSource(program);
  const { model: translated, report } = translateModel(source, nodePlatform, {});
  if (translated === undefined)
    throw new Error(`${program}: ${report.unsupported.map(({ op }) => op).join(", ")}`);
  const read = (data: { offset: number; byteLength: number }) => source.read(data.offset, data.byteLength);
  const model: OnnxModel =
    precision === "float32" ? translated : quantizeModel(translated, { precision, read }).model;
  const options = {
    intraOpNumThreads: threads,
    logSeverityLevel: 3 as const,
    extra: { session: { model_external_initializers_file_folder_path: dirname(program) } },
  };
  return InferenceSession.create(encodeModel(model), options).finally(() => source.close());
}

function readFeeds({ inputs, shapes }: OrtWork, names: readonly string[]): Record<string, Tensor> {
  const bytes = typeof inputs === "string" ? readFileSync(inputs) : inputs;
  const feeds: Record<string, Tensor> = {};
  let at = 0;
  for (const [i, [dtype, shape]] of Object.values(shapes).entries()) {
    const count = shape.reduce((product, size) => product * size, 1);
    const width = dtype === "int64" ? 8 : 4;
    const { buffer } = Uint8Array.from(bytes.subarray(at, at + count * width));
    at += count * width;
    const name = Object.keys(shapes)[i]!;
    const key = names.includes(name) ? name : names[i]!;
    feeds[key] =
      dtype === "int64"
        ? new Tensor("int64", new BigInt64Array(buffer), [...shape])
        : new Tensor("float32", new Float32Array(buffer), [...shape]);
  }
  return feeds;
}
