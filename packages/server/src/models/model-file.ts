import { extname } from "node:path";
import { type FileFormat, isProgram, isWeights } from "@sconce/torch/formats";

/** What a model is by what lies on disk: the content of its file, or code alone. */
export type FoundFormat = FileFormat | "code";
/** The same, or what its settings make of a folder: other models, or code between models. */
export type ModelFormat = FoundFormat | "pipeline" | "transform";

/** A file of a model folder whose content was looked at. */
export interface InspectedFile {
  readonly name: string;
  readonly format: FileFormat;
}

const MODEL_SUFFIXES: ReadonlySet<string> = new Set([
  ".pt2",
  ".pt",
  ".pth",
  ".ptl",
  ".pte",
  ".onnx",
  ".safetensors",
  ".mar",
  ".bin",
  ".ckpt",
  ".pkl",
  ".pickle",
  ".joblib",
  ".h5",
  ".hdf5",
  ".keras",
  ".pb",
  ".tflite",
  ".mlmodel",
  ".engine",
  ".plan",
  ".trt",
  ".gguf",
]);

/** Best first: what carries a whole signature before what carries less, programs before bare weights. */
const PREFERENCE: readonly ModelFormat[] = [
  "pt2",
  "torchscript",
  "onnx",
  "mar",
  "safetensors",
  "checkpoint",
  "code",
];

/** Whether a file is worth a look: others (notes, images, labels) lie beside models without being one. */
export function hasModelSuffix(name: string): boolean {
  return MODEL_SUFFIXES.has(extname(name).toLowerCase());
}

/** File name without its suffix: the name of a model that is a single file. */
export function modelStem(name: string): string {
  return hasModelSuffix(name) ? name.slice(0, -extname(name).length) : name;
}

/** Whether `a` makes the better model of two files that claim one name. */
export function compareFormats(a: ModelFormat, b: ModelFormat): number {
  return rank(a) - rank(b);
}

function rank(format: ModelFormat): number {
  const place = PREFERENCE.indexOf(format);
  if (place >= 0) return place;
  return format === "unknown" ? PREFERENCE.length + 1 : PREFERENCE.length;
}

/** What is said of a folder in which nothing could be a model; what was there and refused has words of its own. */
export const NO_MODEL_FILE = "the folder holds no model file";

/** `model-00001-of-00003.safetensors`: a part of a checkpoint that was saved in several files. */
const SHARD = /^(.*)-\d{5}-of-(\d{5}\.\w+)$/;

/** Of the files of one checkpoint the first stands for all. */
function withoutFurtherShards(files: readonly InspectedFile[]): readonly InspectedFile[] {
  const first = new Map<string, string>();
  for (const { name } of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const [, stem, rest] = SHARD.exec(name) ?? [undefined, name, ""];
    if (!first.has(`${stem}/${rest}`)) first.set(`${stem}/${rest}`, name);
  }
  const names = new Set(first.values());
  return files.filter(({ name }) => names.has(name));
}

/**
 * The file of a folder that is the model: the one named `model.*`, else the only program, else the only weights file, or the first of those that are one.
 * A string says why there is no choice.
 */
export function chooseModelFile(all: readonly InspectedFile[]): InspectedFile | string {
  const files = withoutFurtherShards(all);
  const named = files.filter((file) => modelStem(file.name) === "model");
  const programs = (named.length > 0 ? named : files).filter((file) => isModel(file.format));
  const weights = (named.length > 0 ? named : files).filter((file) => !isModel(file.format));
  const choices = programs.length > 0 ? programs : weights;
  const sorted = choices.toSorted((a, b) => compareFormats(a.format, b.format) || (a.name < b.name ? -1 : 1));
  const first = sorted[0];
  if (first === undefined) {
    return `${NO_MODEL_FILE}: put a model.pt2, model.pt or model.onnx there, or in a numbered folder such as 1/`;
  }
  if (sorted.length === 1 || named.length > 0) return first;
  const list = sorted.map((file) => file.name).join(", ");
  return `the folder holds several model files (${list}): keep one, or name the one to serve model${extname(first.name)}`;
}

/** Whether code must make the model, since its file holds no program. */
export function isCodeNeeded(format: ModelFormat): boolean {
  if (format === "pipeline" || format === "transform") return false;
  return format === "code" || format === "pickle" || isWeights(format);
}

/** Whether what is in the file makes the model with code of its own. */
export function isCodeArchive(format: ModelFormat): boolean {
  return format === "mar";
}

/** Whether it is a model, ours or of another server, and not something that lies beside one. */
function isModel(format: FileFormat): boolean {
  return isProgram(format) || isCodeArchive(format);
}
