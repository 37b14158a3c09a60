import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { readFixturePack } from "./fixture-pack.ts";
import type { SampleResult, WorkerJob, WorkerLine } from "./verdict.ts";

export interface OracleOptions {
  /** Pack files. */
  readonly files: readonly string[];
  /** Only the sample of this id. */
  readonly sample?: string | undefined;
  /** Only samples with this op, such as `aten.add.Tensor`. */
  readonly target?: string | undefined;
  /** See Judging; default: false. */
  readonly withoutOptimiser?: boolean;
  /** Worker processes at once. */
  readonly jobs: number;
  /** A sample that takes longer is an error. */
  readonly sampleTimeoutMs: number;
}

type Work = WorkerJob["files"];
type Begin = Extract<WorkerLine, { readonly begins: string }>;

/** Files of a worker: its start and the warming up of its code cost as much as many samples. */
const CHUNK = 128;
const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));

/** Judges every sample of the packs, in child processes: a native crash or a hang is the verdict of one sample, not the end. */
export async function runOracle(options: OracleOptions): Promise<SampleResult[]> {
  const results: SampleResult[] = [];
  const chunks: Work[] = [];
  for (let i = 0; i < options.files.length; i += CHUNK) {
    chunks.push(options.files.slice(i, i + CHUNK).map((path) => ({ path, from: 0 })));
  }
  const runNext = async (): Promise<void> => {
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
      results.push(...(await runChunk(chunk, options)));
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, runNext));
  return results.sort((a, b) => a.file.localeCompare(b.file) || a.index - b.index);
}

async function runChunk(chunk: Work, options: OracleOptions): Promise<SampleResult[]> {
  const results: SampleResult[] = [];
  for (let work = chunk; work.length > 0; ) {
    const { fatal, reason } = await runWorker(work, options, (result) => results.push(result));
    if (fatal === undefined) {
      if (reason !== undefined) throw new Error(`the worker process ${reason} outside a sample`);
      return results;
    }
    results.push(crashed(fatal, reason ?? "ended"));
    const at = work.findIndex(({ path }) => path === fatal.file);
    work = [{ path: fatal.file, from: fatal.index + 1 }, ...work.slice(at + 1)];
  }
  return results;
}

function crashed({ file, index }: Begin, reason: string): SampleResult {
  const pack = readFixturePack(file);
  const { id, targets, core } = pack.samples[index]!;
  const verdict = { kind: "error", detail: `the process ${reason}` } as const;
  return { file, index, op: pack.op, id, targets, core, verdict, ms: 0 };
}

interface WorkerEnd {
  /** The sample that was under way when the process died. */
  readonly fatal: Begin | undefined;
  readonly reason: string | undefined;
}

function runWorker(
  files: Work,
  { sample, target, sampleTimeoutMs, withoutOptimiser = false }: OracleOptions,
  onResult: (result: SampleResult) => void,
): Promise<WorkerEnd> {
  const job: WorkerJob = { files, sample, target, withoutOptimiser };
  const child = spawn(process.execPath, ["--enable-source-maps", WORKER, JSON.stringify(job)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let begun: Begin | undefined;
  let hung = false;
  let errors = "";
  let timer: NodeJS.Timeout | undefined;
  createInterface({ input: child.stdout }).on("line", (text) => {
    clearTimeout(timer);
    const line = JSON.parse(text) as WorkerLine;
    if ("begins" in line) {
      begun = line;
      timer = setTimeout(() => {
        hung = true;
        child.kill("SIGKILL");
      }, sampleTimeoutMs);
    } else {
      begun = undefined;
      onResult(line);
    }
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-2000);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      const died =
        signal !== null ? `died of ${signal}` : `ended with code ${code}: ${errors.trim().slice(-300)}`;
      const reason = hung ? `did not answer within ${sampleTimeoutMs} ms` : code === 0 ? undefined : died;
      resolve({ fatal: begun, reason });
    });
  });
}
