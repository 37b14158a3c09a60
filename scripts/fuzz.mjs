// npm run fuzz -- fast-lane [--count 10000000] [--seed N]: asks the fast lane and Node's own HTTP parser about the same mutated requests.
// npm run fuzz -- [target …] [--minutes 5] [--seed N]: mutates honest and kept inputs, guided by coverage, until the time is over.
// Minutes and hangs are processor time, so that a busy machine neither shortens the search nor invents a hang. Inputs that reach new code, and every finding, are kept in packages/torch/corpus, which npm test replays.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

const HANG_MS = 1_000;
const root = fileURLToPath(new URL("..", import.meta.url));
const built = join(root, "packages/torch/dist/fuzz");
const { FUZZ_TARGETS } = await import(join(built, "targets.kit.js"));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1e9) },
    count: { type: "string", default: "10000000" },
  },
});
if (positionals.includes("fast-lane")) process.exit((await fuzzFastLane()) === 0 ? 0 : 1);
const names = positionals.length > 0 ? positionals : Object.keys(FUZZ_TARGETS);
const unknown = names.find((name) => !(name in FUZZ_TARGETS));
if (unknown !== undefined)
  throw new Error(`no target ${unknown}; there are ${Object.keys(FUZZ_TARGETS).join(", ")}`);

/** Processor time that this process has used: nearly all of it is the worker's. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Asks the fast lane's reader and Node's own parser about the same mutated requests, --count of them. */
async function fuzzFastLane() {
  const { fuzzFastHead } = await import(
    join(root, "packages/server/dist/edge/rest/http/fast-head-fuzz.kit.js")
  );
  const step = 100_000;
  const sum = { inputs: 0, accepted: 0, recalled: 0, findings: 0 };
  for (let seed = Number(values.seed); sum.inputs < Number(values.count); seed++) {
    const report = fuzzFastHead({ seed, count: Math.min(step, Number(values.count) - sum.inputs) });
    for (const name of ["inputs", "accepted", "recalled"]) sum[name] += report[name];
    sum.findings += report.findings.length;
    for (const finding of report.findings) console.log(`fast-lane: FINDING (seed ${seed}) ${finding}`);
  }
  console.log(
    `fast-lane: ${sum.inputs} inputs from seed ${values.seed} on, ${sum.accepted} requests taken (${sum.recalled} by comparison), ${sum.findings} findings`,
  );
  return sum.findings;
}

async function fuzz(name) {
  const [state, input] = [new SharedArrayBuffer(12), new SharedArrayBuffer(1 << 20)];
  const flags = new Int32Array(state);
  const folder = join(root, "packages/torch/corpus", name);
  const workerData = { name, folder, seed: Number(values.seed), state, input };
  const worker = new Worker(join(built, "fuzz-worker.kit.js"), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: 768 },
  });
  let findings = 0;
  const finding = (text) => {
    findings += 1;
    console.log(`${name}: FINDING ${text}`);
  };
  const ended = new Promise((resolve) => {
    worker.on("message", (message) => (message.done ? resolve(message) : finding(message.problem)));
    worker.once("error", (error) => {
      finding(`the thread ended: ${error.message}`);
      resolve(undefined);
    });
  });
  const started = cpuMs();
  let [count, since] = [-1, started];
  const watch = setInterval(() => {
    const now = cpuMs();
    if (now - started > Number(values.minutes) * 60_000) Atomics.store(flags, 2, 1);
    if (flags[0] !== count) [count, since] = [flags[0], now];
    else if (count > 0 && now - since > HANG_MS) {
      const path = join(folder, `hang-${count}`);
      writeFileSync(path, new Uint8Array(input).slice(0, flags[1]));
      finding(`hangs; the input is ${path}`);
      worker.terminate();
    }
  }, 200);
  worker.once("exit", () => clearInterval(watch));
  const result = await Promise.race([
    ended,
    new Promise((resolve) => worker.once("exit", () => resolve(undefined))),
  ]);
  clearInterval(watch);
  await worker.terminate();
  const rss = Math.round(process.memoryUsage.rss() / 2 ** 20);
  const code = result === undefined ? "" : `, ${result.first} → ${result.blocks} blocks of code reached`;
  const minutes = ((cpuMs() - started) / 60_000).toFixed(1);
  console.log(`${name}: ${flags[0]} inputs in ${minutes} min${code}, ${findings} findings, ${rss} MiB`);
  return findings;
}

let total = 0;
for (const name of names) total += await fuzz(name);
process.exitCode = total === 0 ? 0 : 1;
