import type { NamedTensor } from "../../base/tensor.ts";
import { encodeMask } from "./image/encode-mask.ts";
import { createImageReader } from "./image/image-inputs.ts";
import type { Size } from "./image/image-size.ts";
import { type Maps, stretchMaps } from "./image/stretch-maps.ts";
import { numberParameter, wordParameter } from "./parameters.ts";
import { bad } from "./read-request.ts";
import { argmax, floatsOf, outputPlace, readConfig, readLabels, scoresOf } from "./scores.ts";
import { unfit } from "./side-files.ts";
import type { TaskContext, TaskParameters, TaskProcessor } from "./task-processor.ts";

interface Segment {
  readonly score: number | null;
  readonly label: string;
  /** A grey PNG in base64, white where it is. */
  readonly mask: string;
}

const SUBTASKS = ["panoptic", "semantic"] as const;

interface SegmentationKind {
  /** The first is done where a request says nothing. */
  readonly subtasks: readonly (typeof SUBTASKS)[number][];
  readonly logits: string;
  /** Undefined: the logits are the maps of the classes. */
  readonly masks: string | undefined;
}

const SEMANTIC: SegmentationKind = { subtasks: ["semantic"], logits: "logits", masks: undefined };
/** By the kind of image processor. */
const KINDS: ReadonlyMap<string, SegmentationKind> = new Map([
  ["Detr", { subtasks: ["panoptic"], logits: "logits", masks: "pred_masks" }],
  [
    "MaskFormer",
    {
      subtasks: ["panoptic", "semantic"],
      logits: "class_queries_logits",
      masks: "masks_queries_logits",
    },
  ],
  ["Segformer", SEMANTIC],
  ["Beit", SEMANTIC],
  ["MobileViT", SEMANTIC],
]);
/** Pixels times classes: each of them is worked out. */
const MAX_WORK = 2 ** 31;
const LARGEST_IMAGE = 2 ** 24;

/** What each part of an image is. */
export function makeImageSegmentation(context: TaskContext): TaskProcessor {
  const { kind: name, read } = createImageReader(context);
  const kind = KINDS.get(name);
  if (kind === undefined)
    throw unfit(`image-segmentation is known with ${[...KINDS.keys()].join(", ")}, not with ${name}`);
  const logits = outputPlace(context, [kind.logits]);
  const masks = kind.masks === undefined ? logits : outputPlace(context, [kind.masks]);
  const subtaskOf = (parameters: TaskParameters): (typeof SUBTASKS)[number] => {
    const asked = wordParameter(parameters, "subtask", SUBTASKS) ?? kind.subtasks[0]!;
    if (kind.subtasks.includes(asked)) return asked;
    throw bad("parameters.subtask", `this model does ${kind.subtasks.join(" and ")} segmentation`);
  };
  const { names } = readLabels(readConfig(context.files), undefined);
  const labelOf = (id: number): string => names[id] ?? `LABEL_${id}`;
  return {
    takes: "bytes",
    parameters: ["subtask", "threshold", "mask_threshold", "overlap_mask_area_threshold"],
    async prepare(input, parameters) {
      subtaskOf(parameters);
      thresholdsOf(parameters);
      const { original, tensors } = await read(input);
      if (original[0] * original[1] > LARGEST_IMAGE)
        throw bad("input", `the image has more than ${LARGEST_IMAGE} pixels, the most that are segmented`);
      return { runs: [tensors], state: original };
    },
    finish([outputs], { state, parameters }) {
      const size = state as Size;
      const maps = mapsOf(outputs![masks]!, size);
      if (subtaskOf(parameters) === "semantic") {
        const classes = kind.masks === undefined ? maps : classMaps(outputs![logits]!, maps);
        return semantic(classes, size, labelOf);
      }
      return panoptic({ logits: outputs![logits]!, maps, size }, { ...thresholdsOf(parameters), labelOf });
    },
  };
}

function mapsOf(tensor: NamedTensor, [tall, wide]: Size): Maps {
  const [count, height, width] = tensor.shape.slice(-3) as [number, number, number];
  if (count * tall * wide > MAX_WORK)
    throw bad("input", `the image is too large for ${count} classes; send a smaller one`);
  return { count, height, width, values: floatsOf(tensor) };
}

/** How likely each class is at each place: what every query sees there, weighed by what it says that it is. */
function classMaps(logits: NamedTensor, { height, width, values }: Maps): Maps {
  const scores = floatsOf(logits);
  const [queries, classes] = logits.shape.slice(-2) as [number, number];
  const size = height * width;
  const count = classes - 1; // the last one says that there is nothing
  if (queries * count * size > MAX_WORK) throw bad("input", "the image is too large; send a smaller one");
  const maps = new Float32Array(count * size);
  for (let q = 0; q < queries; q++) {
    const shares = scoresOf(scores.subarray(q * classes, (q + 1) * classes), "softmax");
    const seen = scoresOf(values.subarray(q * size, (q + 1) * size), "sigmoid");
    for (let c = 0; c < count; c++) {
      const share = shares[c]!;
      for (let i = 0; i < size; i++) maps[c * size + i]! += share * seen[i]!;
    }
  }
  return { count, height, width, values: maps };
}

/** The likeliest class of every pixel. */
async function semantic(maps: Maps, size: Size, labelOf: (id: number) => string): Promise<Segment[]> {
  const [height, width] = size;
  const classes = new Int32Array(height * width);
  stretchMaps(maps, size, (y, rows) => {
    for (let x = 0; x < width; x++) classes[y * width + x] = bestAt(rows, x);
  });
  const segments: Segment[] = [];
  for (const id of [...new Set(classes)].sort((a, b) => a - b)) {
    segments.push({ score: null, label: labelOf(id), mask: await maskOf(classes, id, size) });
  }
  return segments;
}

function bestAt(rows: readonly Float32Array[], x: number): number {
  let best = 0;
  for (let m = 1; m < rows.length; m++) if (rows[m]![x]! > rows[best]![x]!) best = m;
  return best;
}

function maskOf(owners: Int32Array, id: number, [height, width]: Size): Promise<string> {
  return encodeMask(
    Uint8Array.from(owners, (owner) => (owner === id ? 255 : 0)),
    { height, width },
  );
}

interface Thresholds {
  readonly threshold: number;
  readonly maskThreshold: number;
  readonly overlap: number;
}

function thresholdsOf(parameters: TaskParameters): Thresholds {
  const share = (name: string, byDefault: number): number =>
    numberParameter(parameters, name, [0, 1]) ?? byDefault;
  return {
    threshold: share("threshold", 0.9),
    maskThreshold: share("mask_threshold", 0.5),
    overlap: share("overlap_mask_area_threshold", 0.5),
  };
}

interface Panoptic {
  readonly logits: NamedTensor;
  readonly maps: Maps;
  readonly size: Size;
}

/** A map for each thing that the model is sure of; every pixel goes to one of them. */
async function panoptic(
  { logits, maps, size }: Panoptic,
  { threshold, maskThreshold, overlap, labelOf }: Thresholds & { labelOf(id: number): string },
): Promise<Segment[]> {
  const things = sureThings(logits, threshold);
  const owners = new Int32Array(size[0] * size[1]).fill(-1);
  const own = new Float64Array(things.length);
  const original = new Float64Array(things.length);
  stretchMaps(chosenMaps(maps, things), size, (y, rows) => {
    for (const [k, row] of rows.entries()) {
      for (let x = 0; x < row.length; x++) row[x] = row[x]! * things[k]!.score;
    }
    for (let x = 0; x < size[1] && things.length > 0; x++) {
      const best = bestAt(rows, x);
      owners[y * size[1] + x] = best;
      own[best]!++;
      for (const [k, row] of rows.entries()) if (row[x]! >= maskThreshold) original[k]!++;
    }
  });
  const segments: Segment[] = [];
  for (const [k, { label, score }] of things.entries()) {
    if (own[k] === 0 || original[k] === 0 || !(own[k]! / original[k]! > overlap)) continue;
    const mask = await maskOf(owners, k, size);
    segments.push({ score: Math.round(score * 1e6) / 1e6, label: labelOf(label), mask });
  }
  return segments;
}

interface Thing {
  readonly score: number;
  readonly label: number;
  /** Its place among the maps. */
  readonly map: number;
}

function sureThings(logits: NamedTensor, threshold: number): Thing[] {
  const values = floatsOf(logits);
  const [count, classes] = logits.shape.slice(-2) as [number, number];
  const things: Thing[] = [];
  for (let map = 0; map < count; map++) {
    const scores = scoresOf(values.subarray(map * classes, (map + 1) * classes), "softmax");
    const label = argmax(scores);
    // The last class says that there is nothing.
    if (label !== classes - 1 && scores[label]! > threshold)
      things.push({ score: scores[label]!, label, map });
  }
  return things;
}

function chosenMaps({ height, width, values }: Maps, things: readonly Thing[]): Maps {
  const size = height * width;
  const chosen = new Float32Array(things.length * size);
  for (const [k, { map }] of things.entries())
    chosen.set(scoresOf(values.subarray(map * size, (map + 1) * size), "sigmoid"), k * size);
  return { count: things.length, height, width, values: chosen };
}
