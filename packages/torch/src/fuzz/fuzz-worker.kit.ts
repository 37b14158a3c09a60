// The thread that fuzzes one target until it is stopped. The input at hand lies in shared memory, so that a hang can be told.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { startCoverage } from "./coverage.kit.ts";
import { judgeInput } from "./judge.kit.ts";
import { mutateBytes, mutateJson, mutateText, seededRandom } from "./mutate.kit.ts";
import { FUZZ_TARGETS } from "./targets.kit.ts";

/** What `scripts/fuzz.mjs` starts a thread with. */
interface FuzzJob {
  readonly name: string;
  readonly folder: string;
  readonly seed: number;
  /** [0]: inputs run, [1]: bytes of the one at hand, [2]: set to end. */
  readonly state: SharedArrayBuffer;
  readonly input: SharedArrayBuffer;
}

/** Inputs that reach new code are judged one by one; the others in groups, as reading the counters costs more than a run. */
const GROUP = 25;
const MAX_KEPT_BYTES = 6_000;
const MAX_KEPT = 48;
const MUTATORS = { bytes: mutateBytes, json: mutateJson, text: mutateText };

const { name, folder, seed, state, input } = workerData as FuzzJob;
const flags = new Int32Array(state);
const shown = new Uint8Array(input);
const target = FUZZ_TARGETS[name]!;
const random = seededRandom(seed);
mkdirSync(folder, { recursive: true });
const kept = readdirSync(folder).map((file): Uint8Array => readFileSync(join(folder, file)));
const pool: Uint8Array[] = [...target.seeds(), ...kept];
let room = MAX_KEPT - kept.length;
const reported = new Set<string>();
const coverage = startCoverage();

function judge(bytes: Uint8Array): void {
  shown.set(bytes);
  Atomics.store(flags, 1, bytes.length);
  Atomics.add(flags, 0, 1);
  const problem = judgeInput(target, bytes);
  if (problem === undefined) return;
  const place = problem.split("\n").slice(0, 3).join("\n");
  if (reported.has(place)) return;
  reported.add(place);
  save(bytes);
  parentPort!.postMessage({ problem, bytes: bytes.length });
}

function save(bytes: Uint8Array): void {
  const path = join(folder, createHash("sha256").update(bytes).digest("hex").slice(0, 16));
  if (!existsSync(path)) writeFileSync(path, bytes);
}

function keep(bytes: Uint8Array): void {
  pool.push(bytes);
  if (room <= 0 || bytes.length > MAX_KEPT_BYTES) return;
  room -= 1;
  save(bytes);
}

for (const bytes of pool) judge(bytes);
coverage.hasGrown();
const first = coverage.blocks;
while (Atomics.load(flags, 2) === 0) {
  const group = Array.from({ length: GROUP }, () => {
    const [parent, other] = [pool[random(pool.length)]!, pool[random(pool.length)]!];
    return MUTATORS[target.kind](parent, other, random);
  });
  for (const bytes of group) judge(bytes);
  // Something of the group is new: which one shows only by what it adds to those before it, so all are candidates.
  if (coverage.hasGrown()) keep(group[random(GROUP)]!);
}
coverage.close();
parentPort!.postMessage({ done: true, first, blocks: coverage.blocks, pool: pool.length });
