import { openZip } from "../archive/zip.ts";
import type { ByteSource, Platform } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { readPt2 } from "../exported/pt2.ts";
import { readSampleInputs } from "../exported/sample-inputs.ts";
import { detectFile } from "../formats/detect-file.ts";
import { formatError, isProgram } from "../formats/file-format.ts";
import type { Program } from "../graph/ir.ts";
import type { Port, SampleTensor } from "../graph/port.ts";
import { readTorchScript, type TorchScriptOptions } from "../torchscript/torchscript.ts";
import type { ModelSummary } from "./translation.ts";

/** A program, and how to read it again with fewer sizes that the caller chooses. */
export interface ProgramReading {
  readonly program: Program;
  /** Undefined when these ops meet no size that could be another one. */
  narrowed(ops: readonly string[]): ProgramReading | undefined;
}

/** A program file, read: what it is and how its program came about. */
export interface ProgramFile {
  readonly format: ModelSummary["format"];
  readonly reading: ProgramReading;
  /** The example inputs stored beside the program, in the order of `inputs`, if there are any that fit. Throws ModelFileError. */
  sampleInputs(inputs: readonly Port[]): readonly SampleTensor[] | undefined;
}

/** Opens a program file that PyTorch wrote, of any layout. A further layout is a further line here. Throws ModelFileError. */
export function readProgramFile(
  source: ByteSource,
  platform: Platform,
  options: TorchScriptOptions = {},
): ProgramFile {
  const format = detectFile(source);
  // Opened all the same, a zip says itself what is wrong with it.
  if (format === "damaged-zip" || format === "large-zip") openZip(source, platform);
  if (format === "onnx")
    throw new ModelFileError("unsupported", "the file is ONNX already: there is nothing to translate");
  if (!isProgram(format)) throw formatError(format);
  const zip = openZip(source, platform);
  if (format === "torchscript")
    return { format, reading: readTorchScript(zip, options), sampleInputs: () => undefined };
  if (options.inputs !== undefined) {
    throw new ModelFileError(
      "unsupported",
      "an exported program says itself what its inputs are: leave 'inputs' out",
    );
  }
  const { program, samples } = readPt2(zip, platform, options.keepsPlaces);
  const sampleInputs = (inputs: readonly Port[]): readonly SampleTensor[] | undefined =>
    readSampleInputs(zip, { platform, path: samples }, inputs);
  return { format, reading: { program, narrowed: () => undefined }, sampleInputs };
}
