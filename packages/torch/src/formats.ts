import { openZip } from "./archive/zip.ts";
import type { ByteSource, Platform } from "./byte-source.ts";
import { ModelFileError } from "./errors.ts";
import { readPt2 } from "./exported/pt2.ts";
import { readSampleInputs } from "./exported/sample-inputs.ts";
import type { Program } from "./graph/ir.ts";
import { isTorchScript, readTorchScript } from "./torchscript/torchscript.ts";
import type { ModelSummary, Port, SampleTensor } from "./translation.ts";

/** A program file, read: what it is and how its program came about. */
export interface ProgramFile {
  readonly format: ModelSummary["format"];
  readonly program: Program;
  /** The example inputs stored beside the program, in the order of `inputs`, if there are any that fit. Throws ModelFileError. */
  sampleInputs(inputs: readonly Port[]): readonly SampleTensor[] | undefined;
}

/** Opens a program file of any layout. A further layout is a further line here. Throws ModelFileError. */
export function readProgramFile(source: ByteSource, platform: Platform): ProgramFile {
  if (!isZip(source)) {
    throw new ModelFileError("corrupt", "the file is no PyTorch program: it is not a zip archive");
  }
  const zip = openZip(source, platform, { maxEntries: MAX_ENTRIES });
  if (isTorchScript(zip))
    return { format: "torchscript", program: readTorchScript(zip), sampleInputs: () => undefined };
  const sampleInputs = (inputs: readonly Port[]): readonly SampleTensor[] | undefined =>
    readSampleInputs(zip, platform, inputs);
  return { format: "pt2", program: readPt2(zip), sampleInputs };
}

/** A large language model has tens of thousands of weights, each an entry. */
const MAX_ENTRIES = 200_000;

function isZip(source: ByteSource): boolean {
  if (source.byteLength < 4) return false;
  const [p, k] = source.read(0, 4);
  return p === 0x50 && k === 0x4b;
}
