import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tinyOnnx, unary } from "../internals/tiny-onnx.ts";

const VALUES = ["batch", 2];
const SAMPLES = ["batch", "samples"];
const ROW = ["batch", 1];
const NEGATE = unary("Neg", { name: "x", type: "FP32", dims: VALUES }, { type: "FP32", dims: VALUES });
const SOUNDS = unary(
  "Identity",
  { name: "input_values", type: "FP32", dims: SAMPLES },
  { type: "FP32", dims: SAMPLES },
);
const IMAGES = tinyOnnx({
  inputs: [{ name: "pixel_values", type: "FP32", dims: ["batch", 3, 8, 8] }],
  outputs: [{ name: "logits", type: "FP32", dims: ["batch", 3] }],
  nodes: [
    { op: "GlobalAveragePool", inputs: ["pixel_values"], outputs: ["means"] },
    { op: "Flatten", inputs: ["means"], outputs: ["logits"] },
  ],
});
const SUM = tinyOnnx({
  inputs: [
    { name: "x", type: "FP32", dims: ROW },
    { name: "h", type: "FP32", dims: ROW },
  ],
  outputs: [
    { name: "y", type: "FP32", dims: ROW },
    { name: "h_out", type: "FP32", dims: ROW },
  ],
  nodes: [
    { op: "Add", inputs: ["x", "h"], outputs: ["y"] },
    { op: "Identity", inputs: ["y"], outputs: ["h_out"] },
  ],
});

const WORDS = tinyOnnx({
  inputs: [{ name: "input_ids", type: "INT64", dims: ["batch", "words"] }],
  outputs: [{ name: "logits", type: "FP32", dims: ["batch", 1] }],
  nodes: [
    { op: "Cast", inputs: ["input_ids"], outputs: ["numbers"], attributes: { to: 1 } },
    { op: "ReduceMean", inputs: ["numbers"], outputs: ["logits"] },
  ],
});

/** A tokenizer that splits texts where its pattern says. */
function tokenizer(pattern: string, words: Readonly<Record<string, number>> = {}): string {
  return JSON.stringify({
    version: "1.0",
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
    post_processor: null,
    decoder: null,
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: { "[PAD]": 0, "[UNK]": 1, ...words },
    },
  });
}

/** Does what it is told, as code of a careless author may. */
const HANDLER = `export default {
  async preprocess(input, context) {
    switch (input) {
      case "throw": throw new Error("/a/path/of/the/model");
      case "throw nothing": throw undefined;
      case "reject later": Promise.reject(new Error("nobody waits")); break;
      case "throw later": setImmediate(() => { throw new Error("later"); }); break;
      case "loop": for (;;);
      case "never": await new Promise(() => {}); break;
      case "exit": process.exit(0);
      case "abort": process.abort();
      case "kill": process.kill(process.pid, "SIGKILL"); break;
      case "parent": process.kill(process.ppid, "SIGUSR2"); break;
      case "allocate": for (const all = [];;) all.push(new Array(1e6).fill(1.5));
      case "recurse": { const deeper = (n) => deeper(n + 1) + 1; deeper(0); break; }
      case "print": for (let i = 0; i < 20_000; i++) console.log("\\u001b[2J" + "x".repeat(200)); break;
      case "pollute": Object.prototype.polluted = "yes"; break;
      case "wrong": return { x: [[1], [2, 3]] };
      case "not numbers": return { x: [["a", {}]] };
      case "getters": return { get x() { throw new Error("got"); } };
      case "circular": context.state = {}; context.state.own = context.state; break;
      case "bigint": context.state = 1n; break;
    }
    return { x: [[1, 2]] };
  },
  postprocess({ y }) { return [...y.data]; },
};
`;

/** A vocabulary of a large language model's size. */
function manyWords(): Record<string, number> {
  return Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`w${i}`, i + 2]));
}

/** Models that take what clients send as it is: an image, a sound, a handler's own words, and one with a state. */
export function writeTaskModels(root: string): void {
  const model = (name: string, onnx: Uint8Array, files: Readonly<Record<string, string>>): void => {
    const folder = join(root, name);
    mkdirSync(folder);
    writeFileSync(join(folder, "model.onnx"), onnx);
    for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  };
  const limits = "execution_timeout: 1s\n";
  const labels = JSON.stringify({ id2label: { 0: "a", 1: "b", 2: "c" } });
  model("images", IMAGES, {
    "model.yaml": `task: image-classification\n${limits}`,
    "config.json": labels,
    "preprocessor_config.json": JSON.stringify({
      image_processor_type: "ViTImageProcessor",
      size: { height: 8, width: 8 },
    }),
  });
  model("sounds", SOUNDS, {
    "model.yaml": `task: audio-classification\n${limits}`,
    "config.json": labels,
    "preprocessor_config.json": JSON.stringify({
      feature_extractor_type: "Wav2Vec2FeatureExtractor",
      sampling_rate: 16_000,
    }),
  });
  const words = { "model.yaml": `task: text-classification\n${limits}`, "config.json": labels };
  // Backtracks for longer than the universe has lasted, on a text of 64 letters.
  model("words", WORDS, { ...words, "tokenizer.json": tokenizer("^(a+)+$") });
  model("many-words", WORDS, { ...words, "tokenizer.json": tokenizer(" ", manyWords()) });
  model("plain", NEGATE, {});
  model("code", NEGATE, { "model.yaml": limits, "handler.js": HANDLER });
  model("state", SUM, { "model.yaml": "state: {h: h_out}\nmax_sequences: 100\nsequence_idle: 1h\n" });
}
