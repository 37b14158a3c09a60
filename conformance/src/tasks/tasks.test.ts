// Tests models with tasks against transformers' pipeline: one process makes them all, and one server serves them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { pythonOrReason, runPythonScripts } from "../python.ts";
import { checkClassification } from "./classification.kit.ts";
import { checkPixels } from "./pixels.kit.ts";
import { type MadeModel, ofTasks, startTaskServer, type TaskServer } from "./task-server.kit.ts";
import { addPooling, checkTexts } from "./texts.kit.ts";
import { COUNT, checkTokens, SEED } from "./tokens.kit.ts";
import { checkVision } from "./vision.kit.ts";

const CLASSIFICATION = ["image-classification", "text-classification"];
const TEXTS = [
  ...["token-classification", "fill-mask", "zero-shot-classification"],
  ...["feature-extraction", "image-feature-extraction"],
];
const VISION = ["object-detection", "image-segmentation", "audio-classification"];

const script = (name: string): string =>
  fileURLToPath(new URL(`../../../scripts/python/${name}`, import.meta.url));
const python = pythonOrReason();

describe("what transformers does", { skip: "skip" in python && python.skip, timeout: 600_000 }, () => {
  const home = mkdtempSync(join(tmpdir(), "sconce-tasks-"));
  const [served, pixels, tokens] = [join(home, "served"), join(home, "pixels"), join(home, "tokens")];
  let made: TaskServer;
  let processed = "";

  before(async () => {
    if ("skip" in python) return;
    const [models, images] = await runPythonScripts(python.path, [
      [script("make_tasks.py"), served, ...CLASSIFICATION, ...TEXTS, ...VISION],
      [script("process_images.py"), pixels],
      [script("tokenize_texts.py"), tokens, SEED, COUNT],
    ]);
    processed = images!;
    const all = JSON.parse(models!) as MadeModel[];
    addPooling(join(served, "models"), all);
    made = await startTaskServer(served, all);
  });
  after(async () => {
    await made?.server.stop();
    rmSync(home, { recursive: true });
  });

  test("images and texts are classified as transformers' pipeline does it", (t) =>
    checkClassification(t, ofTasks(made, CLASSIFICATION)));
  test("tokens, masks, labels and features are transformers' own", (t) =>
    checkTexts(t, ofTasks(made, TEXTS)));
  test("boxes, masks and the classes of sounds are transformers' own", (t) =>
    checkVision(t, ofTasks(made, VISION)));
  test("every image processor makes the pixels that transformers makes", () =>
    checkPixels(pixels, JSON.parse(processed)));
  test("random texts become the tokens that transformers makes of them, at the same places", () =>
    checkTokens(tokens));
});
