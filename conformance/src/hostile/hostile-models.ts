import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { startServerProcess } from "../server-process.ts";
import { until } from "../until.kit.ts";

/** By model: its model.yaml, and what the index says of it. */
const HOSTILE: Readonly<Record<string, readonly [string, RegExp]>> = {
  alias: ["max_batch_size: &a [*a, *a]", /nested deeper than 32/],
  keys: [Array.from({ length: 90_000 }, (_, i) => `k${i}: 1`).join("\n"), /more than 20000 words and marks/],
  list: [`preferred_batch_size: [${"1,".repeat(500_000)}]`, /more than 20000 words and marks/],
  text: [`preferred_batch_size: "${"1,".repeat(500_000)}"`, /preferred_batch_size in model.yaml: expected/],
  key: [`${"k".repeat(1_000_000)}: 1`, /model.yaml/],
  inputs: [`inputs: "x: &a [*a, *a]"`, /inputs in model.yaml: expected names and texts/],
  weights: ["weights: secret.safetensors", /link that leads out of the repository/],
  instances: [
    "instances: 256\nthreads: 64",
    /asks for instances 256; this server allows \d+ \(--max-instances\)/,
  ],
  thread: ["isolation: thread", /asks for isolation thread; this server allows process/],
  documents: ["instances: 1\n---\ninstances: 2", /several documents; expected one mapping/],
  sequence: ["- instances: 1", /expected a mapping of keys to values/],
  large: [`# ${"x".repeat(2 ** 20)}`, /larger than 1048576 bytes/],
};

/** The same of a config.pbtxt. */
const HOSTILE_TRITON: Readonly<Record<string, readonly [string, RegExp]>> = {
  braces: [`optimization ${"{ graph ".repeat(100_000)}`, /config\.pbtxt/],
  fields: ["max_batch_size: 1\n".repeat(50_000), /config\.pbtxt/],
  string: [`name: "${"x".repeat(2 ** 20)}"`, /config\.pbtxt/],
  numbers: [`input { dims: [${"1,".repeat(400_000)}1] }`, /config\.pbtxt/],
};

/** Of `good`, so often. */
const steps = (count: number, model = "good"): string =>
  `pipeline:\n  steps:\n${`    - model: ${model}\n`.repeat(count)}`;

/** Pipelines, which have no model's file. */
const HOSTILE_PIPELINES: Readonly<Record<string, readonly [string, RegExp]>> = {
  "pipe-itself": [steps(1, "pipe-itself"), /step of itself: pipe-itself → pipe-itself/],
  "pipe-ring": [steps(1, "pipe-ring-back"), /step of itself: pipe-ring → pipe-ring-back → pipe-ring/],
  "pipe-ring-back": [steps(1, "pipe-ring"), /step of itself/],
  "pipe-many": [steps(65), /65 steps, and 64 are allowed/],
  "pipe-more": [steps(10_000), /more than 20000 words and marks/],
  "pipe-grows": [steps(64, "pipe-wide"), /a request would run 640 models, and 256 are allowed/],
  "pipe-to-nothing": [steps(1, "nothing"), /there is no model "nothing" on this server/],
  "pipe-name": [steps(1, "'../good'"), /step 1: model: expected the name of a model/],
  "pipe-tensors": [
    `${steps(1)}      inputs: {${Array.from({ length: 300 }, (_, i) => `t${i}: u`).join()}}`,
    /expected 1 to 256 of the model's names/,
  ],
};

/** A step of an ensemble of Triton's that is the ensemble. */
const RING_OF_TRITON = `platform: "ensemble" max_batch_size: 8
input { name: "image" data_type: TYPE_FP32 dims: [1, 8, 8] } output { name: "logits" data_type: TYPE_FP32 dims: [10] }
ensemble_scheduling { step { model_name: "ensemble" model_version: -1
  input_map { key: "image" value: "image" } output_map { key: "logits" value: "logits" } } }`;

const GIB = 2 ** 30;

interface Entry {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
}

const ALL = {
  ...HOSTILE,
  ...HOSTILE_TRITON,
  ...HOSTILE_PIPELINES,
  ensemble: ["", /step of itself/],
  labels: ["", /labels\.txt: larger than 1048576 bytes/],
} as const;

/** Serves a folder of models whose own files mean to stop the server, beside one that is good; what is not as it must be. */
export async function serveHostileModels(): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), "hostile-files-"));
  for (const [name, [yaml]] of Object.entries(HOSTILE)) writeModel(root, name, { "model.yaml": yaml });
  for (const [name, [text]] of Object.entries(HOSTILE_TRITON))
    writeModel(root, name, { "config.pbtxt": text });
  for (const [name, [yaml]] of Object.entries(HOSTILE_PIPELINES)) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, "model.yaml"), yaml);
  }
  mkdirSync(join(root, "pipe-wide"));
  writeFileSync(join(root, "pipe-wide", "model.yaml"), steps(10));
  mkdirSync(join(root, "ensemble", "1"), { recursive: true });
  writeFileSync(join(root, "ensemble", "config.pbtxt"), RING_OF_TRITON);
  symlinkSync("/etc/hostname", join(root, "weights", "secret.safetensors"));
  writeModel(root, "labels", { "labels.txt": "" });
  // It takes no room on the disk.
  truncateSync(join(root, "labels", "labels.txt"), GIB);
  writeModel(root, "good", { "config.pbtxt": "max_batch_size: 8" });
  const server = await startServerProcess([root], { until: "listening" });
  const problems: string[] = [];
  try {
    await until("the good model serves", async () => (await fetch(`${server.url}/v2/models/good/ready`)).ok);
    let index: readonly Entry[] = [];
    await until("nothing loads any more", async () => {
      const response = await fetch(`${server.url}/v2/repository/index`, { method: "POST" });
      index = (await response.json()) as readonly Entry[];
      return index.every(({ state }) => state !== "LOADING");
    });
    const good = index.find(({ name }) => name === "good");
    if (good?.reason !== "") problems.push(`good: ${good?.reason}`);
    for (const [name, [, reason]] of Object.entries(ALL)) {
      const entry = index.find((one) => one.name === name);
      const isAsItMustBe = entry?.state === "UNAVAILABLE" && reason.test(entry.reason);
      if (!isAsItMustBe) problems.push(`${name}: ${entry?.state} ${entry?.reason}`);
    }
  } finally {
    const { code } = await server.stop();
    if (code !== 0) problems.push(`SIGTERM ended it with ${code}`);
    rmSync(root, { recursive: true });
  }
  return problems;
}

function writeModel(root: string, name: string, files: Readonly<Record<string, string>>): void {
  const folder = join(root, name);
  mkdirSync(folder);
  copyFileSync(join(MODELS_FOLDER, "digits.pt2"), join(folder, "model.pt2"));
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
}
