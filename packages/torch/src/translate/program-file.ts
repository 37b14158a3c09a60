import { openZip } from "../archive/zip.ts";
import type { ByteSource, Platform } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { readPt2 } from "../exported/pt2.ts";
import { readSampleInputs } from "../exported/sample-inputs.ts";
import type { Program } from "../graph/ir.ts";
import type { Port, SampleTensor } from "../graph/port.ts";
import { isTorchScript, readTorchScript, type TorchScriptOptions } from "../torchscript/torchscript.ts";
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

/** Opens a program file of any layout. A further layout is a further line here. Throws ModelFileError. */
export function readProgramFile(
  source: ByteSource,
  platform: Platform,
  options: TorchScriptOptions = {},
): ProgramFile {
  if (!isZip(source)) {
    throw notAZip(source);
  }
  const zip = openZip(source, platform, { maxEntries: MAX_ENTRIES });
  if (isTorchScript(zip))
    return { format: "torchscript", reading: readTorchScript(zip, options), sampleInputs: () => undefined };
  if (options.inputs !== undefined) {
    throw new ModelFileError(
      "unsupported",
      "an exported program says itself what its inputs are: leave 'inputs' out",
    );
  }
  const { program, samples } = readPt2(zip, platform);
  const sampleInputs = (inputs: readonly Port[]): readonly SampleTensor[] | undefined =>
    readSampleInputs(zip, { platform, path: samples }, inputs);
  return { format: "pt2", reading: { program, narrowed: () => undefined }, sampleInputs };
}

/** A large language model has tens of thousands of weights, each an entry. */
const MAX_ENTRIES = 200_000;

function isZip(source: ByteSource): boolean {
  if (source.byteLength < 4) return false;
  const [p, k] = source.read(0, 4);
  return p === 0x50 && k === 0x4b;
}

/** Files that PyTorch's tools write and that hold no program for us, by their first bytes. */
const OTHERS: readonly { readonly at: number; readonly magic: readonly number[]; readonly advice: string }[] =
  [
    {
      at: 4,
      magic: [0x45, 0x54], // "ET", then a version
      advice: "it is an ExecuTorch program; save the program it was made from with torch.export.save",
    },
    {
      at: 0,
      magic: [0x80],
      advice:
        "it is a pickle of weights or of a module, without a program. Export the model with torch.export.save, or serve it with a model.py",
    },
    {
      at: 257,
      magic: [0x75, 0x73, 0x74, 0x61, 0x72], // "ustar"
      advice:
        "it is a checkpoint in PyTorch's first (tar) layout; load it with the PyTorch that wrote it and export the model",
    },
  ];

function notAZip(source: ByteSource): ModelFileError {
  const head = source.read(0, Math.min(262, source.byteLength));
  const other = OTHERS.find(({ at, magic }) => magic.every((byte, i) => head[at + i] === byte));
  return other === undefined
    ? new ModelFileError("corrupt", "the file is no PyTorch program: it is not a zip archive")
    : new ModelFileError("unsupported", `the file is no PyTorch program: ${other.advice}`);
}
