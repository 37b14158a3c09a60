// The process that judges samples. Each one is announced before it runs, with a synchronous write, so that after a native crash the
// parent knows which it was.
import { writeSync } from "node:fs";
import { type FixturePack, readFixturePack } from "./fixture-pack.ts";
import { judgeSample } from "./judge-sample.ts";
import type { WorkerJob, WorkerLine } from "./verdict.ts";

function print(line: WorkerLine): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let done = 0; done < bytes.length; ) done += write(bytes, done);
}

function write(bytes: Buffer, from: number): number {
  try {
    return writeSync(1, bytes, from);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0; // the parent is behind
    throw error;
  }
}

async function judgePack(file: string, pack: FixturePack, chosen: readonly number[]): Promise<void> {
  for (const index of chosen) {
    const sample = pack.samples[index]!;
    const { id, targets, core } = sample;
    print({ file, index, begins: id });
    const start = performance.now();
    const verdict = await judgeSample(sample, job);
    print({ file, index, op: pack.op, id, targets, core, verdict, ms: performance.now() - start });
  }
}

const job = JSON.parse(process.argv[2]!) as WorkerJob;
for (const { path, from } of job.files) {
  const pack = readFixturePack(path);
  const chosen = [...pack.samples.keys()].filter((index) => {
    const { id, targets } = pack.samples[index]!;
    if (index < from || (job.sample !== undefined && id !== job.sample)) return false;
    return job.target === undefined || targets.includes(job.target);
  });
  await judgePack(path, pack, chosen);
}
