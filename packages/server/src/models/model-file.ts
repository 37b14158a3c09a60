import { extname } from "node:path";
import type { FileKind } from "./file-kind.ts";

/** A file of a model folder whose content was looked at. */
export interface InspectedFile {
  readonly name: string;
  readonly kind: FileKind;
}

const MODEL_SUFFIXES: ReadonlySet<string> = new Set([
  ".pt2",
  ".pt",
  ".pth",
  ".ptl",
  ".onnx",
  ".safetensors",
  ".mar",
  ".bin",
  ".ckpt",
  ".pkl",
]);

/** Best first: what carries a whole signature before what carries less, programs before bare weights. */
const PREFERENCE: readonly FileKind[] = [
  "pt2",
  "torchscript",
  "onnx",
  "mar",
  "safetensors",
  "checkpoint",
  "archive",
  "unknown",
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
export function compareKinds(a: FileKind, b: FileKind): number {
  return PREFERENCE.indexOf(a) - PREFERENCE.indexOf(b);
}

/**
 * The file of a folder that is the model: the one named `model.*`, else the only program, else the only weights file.
 * A string says why there is no choice.
 */
export function chooseModelFile(files: readonly InspectedFile[]): InspectedFile | string {
  const named = files.filter((file) => modelStem(file.name) === "model");
  const programs = (named.length > 0 ? named : files).filter((file) => isProgram(file.kind));
  const weights = (named.length > 0 ? named : files).filter((file) => !isProgram(file.kind));
  const choices = programs.length > 0 ? programs : weights;
  const sorted = choices.toSorted((a, b) => compareKinds(a.kind, b.kind) || (a.name < b.name ? -1 : 1));
  const first = sorted[0];
  if (first === undefined) {
    return "the folder holds no model file: put a model.pt2, model.pt or model.onnx there, or in a numbered folder such as 1/";
  }
  if (sorted.length === 1 || named.length > 0) return first;
  const list = sorted.map((file) => file.name).join(", ");
  return `the folder holds several model files (${list}): keep one, or name the one to serve model${extname(first.name)}`;
}

function isProgram(kind: FileKind): boolean {
  return kind === "pt2" || kind === "torchscript" || kind === "onnx" || kind === "mar";
}
