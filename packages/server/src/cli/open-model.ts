import { closeSync, realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import {
  decodeModel,
  type ExternalData,
  ModelFileError,
  type ModelTranslation,
  type OnnxModel,
  type TranslateOptions,
  translateModel,
} from "@sconce/torch";
import { detectFile } from "@sconce/torch/formats";
import { type FileSource, fileSourceOf, nodePlatform, openFileSource } from "@sconce/torch/node";
import { ServeError } from "../base/errors.ts";
import { oneLine } from "../base/printable.ts";
import { openExternal } from "../runtime/onnx/external-files.ts";
import { fileError } from "./file-error.ts";
import { requireModelFile } from "./model-path.ts";
import type { StatedInputs } from "./stated-inputs.ts";

/** A model file of any kind as ONNX that can be rewritten. */
export interface OpenModel {
  /** The file's name without folders. */
  readonly name: string;
  readonly model: OnnxModel;
  readonly warnings: readonly string[];
  readonly isOnnx: boolean;
  /** Reads what initializers point into. */
  read(data: ExternalData): Uint8Array;
  close(): void;
}

/**
 * Opens a `.pt2`, TorchScript or ONNX file. Throws ServeError `missing_path`, or `invalid_argument` with what stands against it: for a program
 * that does not translate, every op. `inputs`: of a scripted program.
 */
export function openModel(path: string, inputs?: StatedInputs): OpenModel {
  const name = basename(path);
  requireModelFile(path);
  const files = new ModelFiles(realpathSync(path));
  try {
    const { main } = files;
    const isOnnx = detectFile(main) === "onnx";
    const { model, warnings } = isOnnx ? decoded(main, inputs) : translated(main, inputs);
    return { name, model, warnings, isOnnx, read: (data) => files.read(data), close: () => files.close() };
  } catch (error) {
    files.close();
    throw fileError(name, error);
  }
}

type Read = Pick<OpenModel, "model" | "warnings">;

function decoded(source: FileSource, inputs: StatedInputs | undefined): Read {
  if (inputs === undefined) return { model: decodeModel(source), warnings: [] };
  throw new ModelFileError("unsupported", "an ONNX file says itself what its inputs are: leave 'inputs' out");
}

function translated(source: FileSource, inputs: StatedInputs | undefined): Read {
  const options: TranslateOptions = inputs === undefined ? {} : { inputs: inputs.types };
  const { model, report } = translateModel(source, nodePlatform, options);
  if (model === undefined) throw untranslatable(source.name, report);
  return { model, warnings: report.warnings };
}

function untranslatable(name: string, { unsupported }: ModelTranslation["report"]): ServeError {
  const ops = unsupported.map(({ op, count, reason }) => `\n  ${oneLine(op)} × ${count}: ${oneLine(reason)}`);
  return new ServeError(
    "failed_precondition",
    `${name} cannot be translated to ONNX, because of${ops.join("")}`,
    {
      reason: "untranslatable",
    },
  );
}

/** The model's file and the ones beside it that hold its weights, opened when they are first read. */
class ModelFiles {
  readonly main: FileSource;
  readonly #folder: string;
  readonly #open = new Map<string, FileSource>();

  constructor(path: string) {
    this.main = openFileSource(path);
    this.#folder = dirname(path);
    this.#open.set(this.main.name, this.main);
  }

  read({ location, offset, byteLength }: ExternalData): Uint8Array {
    const file = this.#open.get(location) ?? this.#openBeside(location);
    return file.read(offset, byteLength);
  }

  #openBeside(name: string): FileSource {
    const { fd } = openExternal(this.#folder, name);
    const file = { ...fileSourceOf(fd, name), close: () => closeSync(fd) };
    this.#open.set(name, file);
    return file;
  }

  close(): void {
    for (const file of this.#open.values()) file.close();
  }
}
