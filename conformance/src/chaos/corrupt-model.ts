import { DIGITS_FILES, exampleFile } from "./digits-files.ts";
import type { ModelFiles } from "./model-folder.ts";
import { mutateFile } from "./mutate-file.ts";
import type { Random } from "./random.ts";

/** A version's files with one of them broken. */
export interface CorruptModel {
  readonly files: ModelFiles;
  /** What was done to which file, in words. */
  readonly how: string;
}

const OTHERS: readonly Uint8Array[] = ["digits.pt2", "digits.pt", "digits.onnx", "digits.safetensors"].map(
  exampleFile,
);

/** Breaks a file of the digits model in one of its shapes, as the random numbers say. */
export function corruptModel(random: Random): CorruptModel {
  const kind = random.pick(Object.keys(DIGITS_FILES));
  const files = DIGITS_FILES[kind]!;
  const name = random.pick(Object.keys(files));
  const content = files[name]!;
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const { bytes: broken, how } = mutateFile(bytes, random, random.pick(OTHERS));
  return { files: { ...files, [name]: broken }, how: `${kind}, ${name}: ${how}` };
}
