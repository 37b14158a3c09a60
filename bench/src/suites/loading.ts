import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  createOnnxRuntime,
  type LoadOptions,
  type Logger,
  PLAIN_LOAD,
  sessionOptions,
  systemClock,
  workerEnv,
} from "@sconce/conformance/internals/server";
import { translate } from "@sconce/torch";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import { InferenceSession } from "onnxruntime-node";
import { startChildServer } from "../child-server.ts";
import { childrenPssBytes } from "../process-tree.ts";
import { BENCH_MODELS, pythonWithModels, SCRIPTS } from "../python-with-models.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const SMALL = fileURLToPath(new URL("../../../examples/models/digits.pt2", import.meta.url));
const BERT = join(BENCH_MODELS, "bert-base-tuple.pt2");
const PYTHON_SIDE = join(SCRIPTS, "python/loading_bench.py");
const ROUNDS = 9;
const COLD_ROUNDS = 3;
const MEMORY_ROUNDS = 3;
const TOKENS = 128;
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };
const run = promisify(execFile);

type Memory = LoadOptions["memory"];

function options(memory: Memory, instances = 1): LoadOptions {
  return { ...PLAIN_LOAD, instances, loadTimeoutMs: 120_000, memory };
}

/** Milliseconds of translating the file and of creating a session from it, in this process, sorted. */
async function loadTimes(memory: Memory): Promise<{ translateMs: number[]; sessionMs: number[] }> {
  const [translateMs, sessionMs]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const source = openFileSource(BERT);
    const startMs = performance.now();
    const { model } = translate(source, nodePlatform);
    translateMs.push(performance.now() - startMs);
    source.close();
    const sessionStartMs = performance.now();
    const session = await InferenceSession.create(model, sessionOptions(options(memory), dirname(BERT)));
    sessionMs.push(performance.now() - sessionStartMs);
    await session.release();
  }
  const sorted = (values: number[]): number[] => values.sort((a, b) => a - b);
  return { translateMs: sorted(translateMs), sessionMs: sorted(sessionMs) };
}

/** The median of what several loads of the same model come to. */
async function workersPss(...model: Parameters<typeof workersPssOnce>): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < MEMORY_ROUNDS; round++) rounds.push(await workersPssOnce(...model));
  return rounds.sort((a, b) => a - b)[MEMORY_ROUNDS >> 1]!;
}

/** The proportional set size of all workers of a loaded and warmed-up model. */
async function workersPssOnce(file: string, memory: Memory, instances: number): Promise<number> {
  const common = {
    clock: systemClock,
    logger: SILENT,
    random: Math.random,
    spares: 0,
    env: workerEnv(process.env),
  };
  const runtime = createOnnxRuntime(common);
  const spec = { name: "m", version: "1", file, root: "/", options: options(memory, instances) };
  await runtime.load(spec, { signal: new AbortController().signal });
  const bytes = childrenPssBytes();
  await runtime.close();
  return bytes;
}

async function memoryRow(memory: Memory, weightBytes: number): Promise<Record<string, string | number>> {
  const [one, two] = [await workersPss(BERT, memory, 1), await workersPss(BERT, memory, 2)];
  // What a second worker costs with a model of 60 KB: Node and ONNX Runtime.
  const process = (await workersPss(SMALL, memory, 2)) - (await workersPss(SMALL, memory, 1));
  const MiB = 2 ** 20;
  return {
    memory,
    "1 instance MiB": one / MiB,
    "2 instances MiB": two / MiB,
    "of which a process MiB": process / MiB,
    "model added %": (100 * (two - one - process)) / weightBytes,
  };
}

async function bertAnswers(url: string): Promise<boolean> {
  const ids = [Array.from({ length: TOKENS }, (_, i) => i)];
  const body = JSON.stringify({ input: { input_ids: ids, attention_mask: [ids[0]!.map(() => 1)] } });
  const headers = { "content-type": "application/json" };
  return fetch(`${url}/predict/bert-base-tuple`, { method: "POST", headers, body }).then(
    (answer) => answer.ok,
    () => false,
  );
}

/** Milliseconds from process start to the first answer. The file's pages are in memory for both sides. */
async function coldStarts(python: string): Promise<Record<string, string | number>[]> {
  const times: Record<string, number[]> = { "sconce, shared": [], "sconce, fast": [], "python, torch": [] };
  for (let round = 0; round < COLD_ROUNDS; round++) {
    for (const memory of ["shared", "fast"] as const) {
      const args = [...SCONCE, "serve", BERT, "--port", "0", "--log-level", "error", "--memory", memory];
      const server = await startChildServer(args, bertAnswers);
      times[`sconce, ${memory}`]!.push(server.startMs);
      await server.stop();
    }
    const startMs = performance.now();
    await run(python, [PYTHON_SIDE, "run", BERT]);
    times["python, torch"]!.push(performance.now() - startMs);
  }
  return Object.entries(times).map(([name, values]) => {
    const sorted = values.sort((a, b) => a - b);
    return { "cold start": name, "min ms": sorted[0]!, "median ms": sorted[COLD_ROUNDS >> 1]! };
  });
}

export const loading: Suite = {
  summary:
    "BERT-base (438 MB) from its .pt2: translation (goal: 150 ms), session (goal: 100 ms shared), memory of a second instance (goal: < 10 % of the weights), cold start",
  async run(print) {
    const python = await pythonWithModels();
    await run(python, [PYTHON_SIDE, "export", BERT], { timeout: 20 * 60_000 });
    const source = openFileSource(BERT);
    const { weightBytes } = translate(source, nodePlatform);
    source.close();
    const times = {
      shared: await loadTimes("shared"),
      fast: await loadTimes("fast"),
    };
    const rows = Object.entries(times).map(([memory, { translateMs, sessionMs }]) => ({
      memory,
      "translate min ms": translateMs[0]!,
      "translate median ms": translateMs[ROUNDS >> 1]!,
      "session min ms": sessionMs[0]!,
      "session median ms": sessionMs[ROUNDS >> 1]!,
    }));
    print(table(rows));
    const memory = [await memoryRow("shared", weightBytes), await memoryRow("fast", weightBytes)];
    print(table(memory));
    const starts = await coldStarts(python);
    print(table(starts));
    return { rows, memory, starts };
  },
};
