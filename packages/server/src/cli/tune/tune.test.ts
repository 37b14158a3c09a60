// Tests `sconce tune` on a real model with a budget that lets little be measured, and its judgements. Nothing here depends on speed.
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readModelPorts } from "../bench/model-ports.ts";
import { main } from "../main.ts";
import { outputError } from "../private/precision-error.ts";
import { startPrivateServer } from "../private/private-server.ts";
import { bindingLimits } from "./binding-limit.ts";
import { findCapacity, type LoadedWindow } from "./capacity.ts";
import { verdictOf } from "./final-rounds.ts";
import { parseSlo } from "./slo.ts";
import { patchedYaml } from "./tuned-model.ts";

const DIGITS = fileURLToPath(new URL("../../../../../examples/models/digits.pt2", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "sconce-tune-"));
after(() => rmSync(root, { recursive: true }));
const folder = join(root, "digits");
mkdirSync(folder);
copyFileSync(DIGITS, join(folder, "digits.pt2"));
const SETTINGS = "# Ours.\nmax_batch_size: 2 # as agreed\n";
writeFileSync(join(folder, "model.yaml"), SETTINGS);

async function tune(...args: readonly string[]) {
  let stdout = "";
  let stderr = "";
  const shown: string[] = [];
  const code = await main(["tune", ...args], {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: {},
    progress: (text) => shown.push(text ?? ""),
    readStdin: async () => Buffer.alloc(0),
  });
  return { code, stdout, stderr, shown };
}

const QUICK = ["--budget", "1s", "--window", "50ms", "--rounds", "3", "--max-connections", "2"];

test("a model with a model.yaml: its settings are what is measured first, and every run is accounted for", async () => {
  const { code, stdout, stderr, shown } = await tune(folder, "--slo", "p99=1m", ...QUICK, "--json");
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout);
  assert.equal(report.current.maxBatchSize, 2);
  assert.equal(report.isMet, true);
  const runs = report.tried.reduce(
    (sum: number, { outcomes }: { outcomes: unknown[] }) => sum + outcomes.length,
    0,
  );
  assert.equal(report.runs, runs);
  assert.ok(report.windows >= runs && runs >= 1, `${report.windows} windows, ${runs} runs`);
  const isNow = ({ point }: { point: object }): boolean =>
    JSON.stringify(point) === JSON.stringify(report.current);
  const now = report.tried.find(isNow).outcomes[0];
  assert.ok(now.answered > 0 && now.perSecond > 0 && Object.keys(now.failures).length === 0);
  assert.equal(readFileSync(join(folder, "model.yaml"), "utf8"), SETTINGS);
  assert.ok(
    shown.some((text) => /round 1 of \d+ proposals: run 1, as it is/.test(text)),
    shown.join("\n"),
  );
});

test("a latency that nothing keeps: it says so, shows what comes closest, and writes nothing", async () => {
  const { code, stdout } = await tune(folder, "--slo", "p99=10us", "--rate", "20", ...QUICK, "--write");
  assert.equal(code, 1);
  assert.match(stdout, /No settings kept the goal\. Closest came .+: \d+\.\d ms\./);
  assert.match(stdout, /model\.yaml stays as it is\./);
  assert.equal(readFileSync(join(folder, "model.yaml"), "utf8"), SETTINGS);
});

test("settings to try come before those of the model's own file", async () => {
  const server = await startPrivateServer(folder, {}, { digits: { max_batch_size: 7 } });
  try {
    assert.equal((await readModelPorts({ ...server, version: undefined })).maxBatchSize, 7);
  } finally {
    await server.stop();
  }
});

test("what can go wrong is said in words", async () => {
  const loose = join(root, "loose");
  mkdirSync(loose);
  copyFileSync(DIGITS, join(loose, "a.pt2"));
  copyFileSync(DIGITS, join(loose, "b.pt2"));
  for (const [args, words] of [
    [[], /expected one MODEL/],
    [[DIGITS], /--slo is missing/],
    [[DIGITS, "--slo", "soon"], /--slo: expected a latency and its limit, such as p99=50ms/],
    [[DIGITS, "--slo", "p99=fast"], /--slo: expected a duration/],
    [[DIGITS, "--slo", "p99=5ms", "--rate", "5", "--max-throughput"], /choose one of them/],
    [[DIGITS, "--slo", "p99=5ms", "--max-error", "2"], /--max-error: expected a share/],
    [[join(root, "nowhere.pt2"), "--slo", "p99=5ms"], /no such file/],
    [[loose, "--slo", "p99=5ms"], /several models: a, b/],
    [
      [join(loose, "a.pt2"), "--slo", "p99=5ms", "--write"],
      /--write: a model\.yaml is for a folder of one model: move a\.pt2/,
    ],
  ] as const) {
    const { code, stderr } = await tune(...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr.replaceAll(/\s+/g, " "), words);
  }
  assert.ok(!existsSync(join(loose, "model.yaml")));
});

test("a model.yaml keeps its comments and what else it says", () => {
  const path = join(folder, "model.yaml");
  assert.equal(patchedYaml(path, { instances: 2 }), `${SETTINGS}instances: 2\n`);
  assert.equal(patchedYaml(path, { max_batch_size: 8 }), SETTINGS.replace("2 #", "8 #"));
  assert.equal(patchedYaml(join(root, "none.yaml"), { max_queue_delay: "2ms" }), "max_queue_delay: 2ms\n");
});

const LATENCIES = { mean: 1, p50: 1, p90: 1, p95: 1, p99: 1, p999: 1, max: 1 };

function loaded(level: number, perSecond: number, excess: number): LoadedWindow {
  const rest = { latencyMs: LATENCIES, answered: 100, failures: {}, stageMs: undefined, clientShare: 0.1 };
  return { level, perSecond, excess, meets: excess <= 1, score: perSecond, ...rest };
}

/** Answers `perClient` a second for each connection up to `most`; the goal breaks at more than `limit` connections. */
function curve(most: number, limit: number): (level: number) => Promise<LoadedWindow> {
  return async (level) => loaded(level, Math.min(level * 10, most), level / limit);
}

const LOOK = { start: 4, most: 128, best: 0, margin: 0.1 };

test("the capacity of a server: more connections while they give more, between what holds and what breaks, never past the limits", async () => {
  const level = async (most: number, limit: number, look = LOOK) =>
    (await findCapacity(curve(most, limit), look)).level;
  assert.equal(await level(1e9, 24), 24);
  assert.equal(await level(160, 1e9), 16);
  assert.equal(await level(1e9, 1e9), 128);
  assert.equal(await level(1e9, 3), 3);
  const broken = await findCapacity(curve(1e9, 0.5), LOOK);
  assert.deepEqual([broken.level, broken.meets], [1, false]);
});

test("a loser ends after one window: it breaks the goal and is below the best", async () => {
  const { windows, isStopped } = await findCapacity(curve(1e9, 3), { ...LOOK, best: 50 });
  assert.deepEqual([windows, isStopped], [1, true]);
});

test("the last rounds: better in most of them and by more than chance, or not better", () => {
  const rounds = (...gains: readonly number[]) =>
    gains.map((gain) => ({ now: loaded(1, 100, 0.5), new: loaded(1, 100 * gain, 0.5) }));
  assert.equal(verdictOf(rounds(1.3, 1.2, 1.4, 1.25, 0.99)).isBetter, true);
  assert.equal(verdictOf(rounds(1.3, 0.9, 1.4, 0.8, 1.2)).isBetter, false);
  assert.equal(verdictOf(rounds(1.02, 1.03, 1.01, 1.02, 1.01)).isBetter, false);
  assert.equal(verdictOf(rounds(5, 5)).isBetter, false, "two rounds show nothing");
  assert.equal(verdictOf([]).isBetter, false);
  const missed = rounds(2, 2, 2).map((round) => ({ ...round, new: { ...round.new, meets: false } }));
  assert.equal(verdictOf(missed).isBetter, false);
  const rescued = rounds(0.5, 0.5, 0.5).map((round) => ({ ...round, now: { ...round.now, meets: false } }));
  assert.equal(verdictOf(rescued).isBetter, true);
});

test("how far outputs are off: by the largest value, and what is no number has to be the same", () => {
  assert.equal(outputError([1, -4], [1, -3]), 0.25);
  assert.equal(outputError([0, 0], [0, 0]), 0);
  for (const [want, got] of [
    [[1], [1, 2]],
    [[0], [1]],
    [["a"], ["b"]],
    [[null], [1]],
  ] as const)
    assert.equal(outputError(want, got), Number.POSITIVE_INFINITY);
});

test("goals are read, several of them", () => {
  assert.deepEqual(parseSlo("p99=50ms, p50=1s"), [
    { figure: "p99", limitMs: 50 },
    { figure: "p50", limitMs: 1000 },
  ]);
});

test("what limits: the client, the goal at the next load, the stage that takes most", () => {
  const capacity = { ...loaded(8, 800, 0.8), broken: loaded(12, 900, 1.4), isStopped: false, windows: 3 };
  const known = { axes: [], findings: [], maxConnections: 128, rate: undefined };
  const point = { instances: 1 };
  assert.deepEqual(
    bindingLimits({ point, capacity: { ...capacity, stageMs: { queue: 1, compute: 3 } } }, known),
    [
      "the goal: 12 connections give 900 requests/s, and take 1.40 times what is allowed",
      "compute: it takes most of a request, 3.00 ms",
    ],
  );
  assert.match(
    bindingLimits({ point, capacity: { ...capacity, clientShare: 0.97 } }, known)[0]!,
    /this command was busy 97 %/,
  );
});
