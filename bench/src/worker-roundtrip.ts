import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createOnnxRuntime,
  createWorkerRuntime,
  type Instance,
  type LoadOptions,
  type Logger,
  PLAIN_LOAD,
  type RunInput,
  type Runtime,
  systemClock,
} from "@sconce/conformance/internals/server";

/** What the way to a worker and back costs, without HTTP: `npm run build && node bench/dist/worker-roundtrip.js`. */

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };
const COMMON = { clock: systemClock, logger: SILENT, random: Math.random, spares: 1 };
const WARM_UP = 300;
const MAX_RUNS = 5_000;
const MAX_MS = 1_500;

interface Row {
  readonly case: string;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly perSecond: number;
}

function options(isolation: LoadOptions["isolation"]): LoadOptions {
  return { ...PLAIN_LOAD, isolation, executionTimeoutMs: 30_000 };
}

interface Pace {
  /** Runs in flight. */
  readonly depth: number;
  /** Work of this process before each: what a server does meanwhile cools the caches of both sides. */
  readonly pauseMs?: number;
}

function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

/** Keeps runs in flight and reports the time from call to answer. */
async function measure(
  name: string,
  instance: Instance,
  input: RunInput,
  { depth, pauseMs = 0 }: Pace,
): Promise<Row> {
  const request = { inputs: [input] };
  for (let i = 0; i < WARM_UP; i++) await instance.run(request);
  const tookMs: number[] = [];
  const startMs = performance.now();
  const lane = async (): Promise<void> => {
    while (tookMs.length < MAX_RUNS && performance.now() - startMs < MAX_MS) {
      work(pauseMs);
      const beganMs = performance.now();
      await instance.run(request);
      tookMs.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: depth }, lane));
  const elapsedMs = performance.now() - startMs;
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => Math.round(tookMs[Math.floor(share * (tookMs.length - 1))]! * 1000);
  return {
    case: name,
    p50Us: at(0.5),
    p99Us: at(0.99),
    perSecond: Math.round((tookMs.length / elapsedMs) * 1000),
  };
}

async function loadInstance(
  runtime: Runtime,
  file: string,
  isolation: LoadOptions["isolation"],
): Promise<Instance> {
  const spec = { name: "m", version: "1", file, root: "/", options: options(isolation) };
  const model = await runtime.load(spec, { signal: new AbortController().signal });
  return model.instances[0]!;
}

async function echoRows(folder: string, isolation: LoadOptions["isolation"]): Promise<Row[]> {
  const runtime = createWorkerRuntime({
    ...COMMON,
    name: "onnx",
    entry: new URL("./echo-worker.js", import.meta.url),
  });
  const file = join(folder, "echo");
  writeFileSync(file, "");
  const instance = await loadInstance(runtime, file, isolation);
  const rows: Row[] = [];
  for (const [name, bytes] of [
    ["64 B", 64],
    ["16 KB", 16_384],
    ["600 KB", 614_400],
    ["8 MB", 8_388_608],
  ] as const) {
    const input: RunInput = { datatype: "UINT8", shape: [bytes], chunks: [new Uint8Array(bytes).fill(1)] };
    const label = `echo ${name}, ${isolation}`;
    rows.push(await measure(label, instance, input, { depth: 1 }));
    if (bytes > 64) continue;
    rows.push(await measure(`${label}, depth 2`, instance, input, { depth: 2 }));
    for (const pauseMs of [0.2, 1])
      rows.push(await measure(`${label}, ${pauseMs} ms apart`, instance, input, { depth: 1, pauseMs }));
  }
  await runtime.close();
  return rows;
}

async function digitsRows(isolation: LoadOptions["isolation"]): Promise<Row[]> {
  const runtime = createOnnxRuntime(COMMON);
  const file = fileURLToPath(new URL("../../examples/digits/digits.onnx", import.meta.url));
  const instance = await loadInstance(runtime, file, isolation);
  const row = new Uint8Array(Float32Array.from({ length: 64 }, (_, i) => (i % 17) / 16).buffer);
  const input = (rows: number): RunInput => ({
    datatype: "FP32",
    shape: [rows, 1, 8, 8],
    chunks: Array.from({ length: rows }, () => row),
  });
  const rows = [
    await measure(`digits 1 row, ${isolation}`, instance, input(1), { depth: 1 }),
    await measure(`digits 1 row, ${isolation}, 0.2 ms apart`, instance, input(1), { depth: 1, pauseMs: 0.2 }),
    await measure(`digits 1 row, ${isolation}, depth 2`, instance, input(1), { depth: 2 }),
    await measure(`digits 32 rows, ${isolation}, depth 2`, instance, input(32), { depth: 2 }),
  ];
  await runtime.close();
  return rows;
}

const folder = mkdtempSync(join(tmpdir(), "roundtrip-"));
const rows: Row[] = [];
for (const isolation of ["process", "thread"] as const) {
  rows.push(...(await echoRows(folder, isolation)), ...(await digitsRows(isolation)));
}
rmSync(folder, { recursive: true });
console.table(Object.fromEntries(rows.map(({ case: name, ...figures }) => [name, figures])));
