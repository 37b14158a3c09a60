import { createImageReader } from "./image/image-inputs.ts";
import type { Size } from "./image/image-size.ts";
import { numberParameter } from "./parameters.ts";
import { argmax, floatsOf, outputPlace, readConfig, readLabels, scoresOf, topScores } from "./scores.ts";
import { unfit } from "./side-files.ts";
import type { TaskContext, TaskProcessor } from "./task-processor.ts";

const THRESHOLD = 0.5;
const TOP = 100;

/** A box that a model found. */
interface Found {
  readonly score: number;
  readonly label: number;
  /** Its place among the boxes. */
  readonly box: number;
}

type Select = (logits: Float32Array, boxes: number, classes: number) => Found[];

/** How boxes are chosen, by the kind of image processor. */
const SELECTIONS: Readonly<Record<string, Select>> = {
  Detr: bestClass,
  Yolos: bestClass,
  ConditionalDetr: (logits, boxes, classes) => bestPairs(logits, classes, Math.min(TOP, boxes * classes)),
  DeformableDetr: (logits, boxes, classes) => bestPairs(logits, classes, Math.min(TOP, boxes * classes)),
  RTDetr: (logits, boxes, classes) => bestPairs(logits, classes, boxes),
};

/** The things in an image, each with a box around it in pixels of the image as it came. */
export function makeObjectDetection(context: TaskContext): TaskProcessor {
  const { kind, read } = createImageReader(context);
  const select = Object.hasOwn(SELECTIONS, kind) ? SELECTIONS[kind] : undefined;
  if (select === undefined)
    throw unfit(`object-detection is known with ${Object.keys(SELECTIONS).join(", ")}, not with ${kind}`);
  const places = { logits: outputPlace(context, ["logits"]), boxes: outputPlace(context, ["pred_boxes"]) };
  const labels = readLabels(readConfig(context.files), undefined);
  return {
    takes: "bytes",
    parameters: ["threshold"],
    async prepare(input, parameters) {
      numberParameter(parameters, "threshold", [0, 1]);
      const { original, tensors } = await read(input);
      return { runs: [tensors], state: original };
    },
    finish([outputs], { state, parameters }) {
      const logits = outputs![places.logits]!;
      const boxes = floatsOf(outputs![places.boxes]!);
      const [count, classes] = logits.shape.slice(-2) as [number, number];
      const threshold = numberParameter(parameters, "threshold", [0, 1]) ?? THRESHOLD;
      return select(floatsOf(logits), count, classes)
        .filter(({ score }) => score > threshold)
        .map(({ score, label, box }) => ({
          score,
          label: labels.names[label] ?? `LABEL_${label}`,
          box: corners(boxes.subarray(4 * box, 4 * box + 4), state as Size),
        }));
    },
  };
}

/** Every box has one class; the last one says that there is nothing. */
function bestClass(logits: Float32Array, boxes: number, classes: number): Found[] {
  return Array.from({ length: boxes }, (_, box) => {
    const scores = scoresOf(logits.subarray(box * classes, (box + 1) * classes), "softmax");
    const label = argmax(scores.subarray(0, classes - 1));
    return { score: scores[label]!, label, box };
  });
}

/** A box may have several classes. */
function bestPairs(logits: Float32Array, classes: number, count: number): Found[] {
  const scores = scoresOf(logits, "sigmoid");
  return topScores(scores, count).map((pair) => ({
    score: scores[pair]!,
    label: pair % classes,
    box: Math.floor(pair / classes),
  }));
}

/** From the middle and the size of a box, as shares of the image, to its corners in pixels; rounded where PyTorch rounds. */
function corners(box: Float32Array, [height, width]: Size): Readonly<Record<string, number>> {
  const [x, y, w, h] = box as unknown as [number, number, number, number];
  const pixel = (middle: number, half: number, size: number): number =>
    Math.trunc(Math.fround(Math.fround(middle + half) * size));
  return {
    xmin: pixel(x, -Math.fround(0.5 * w), width),
    ymin: pixel(y, -Math.fround(0.5 * h), height),
    xmax: pixel(x, Math.fround(0.5 * w), width),
    ymax: pixel(y, Math.fround(0.5 * h), height),
  };
}
