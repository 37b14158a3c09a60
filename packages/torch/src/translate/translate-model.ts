import type { ByteSource, Platform } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import type { Program } from "../graph/ir.ts";
import type { SampleTensor } from "../graph/port.ts";
import type { LoweredProgram } from "../lower/lower-program.ts";
import type { ExternalData, OnnxModel } from "../onnx/model.ts";
import { weightBytes } from "../onnx/place-weights.ts";
import { precisionNote } from "../quantize/precision-note.ts";
import { quantizeModel } from "../quantize/quantize-model.ts";
import { swapWeights } from "../weights/swap-weights.ts";
import { readWeightsFile, type WeightsFile } from "../weights/weights-file.ts";
import { countWeights } from "./count-weights.ts";
import { withExposedValues } from "./exposed-values.ts";
import { lowerFile } from "./lower-file.ts";
import { type ProgramFile, readProgramFile } from "./program-file.ts";
import { programRowMixing } from "./program-row-mixing.ts";
import type { TranslateOptions, WeightsSource } from "./translate-options.ts";
import type { Translation } from "./translation.ts";

/** A translation before it is serialized. */
export interface ModelTranslation extends Omit<Translation, "model"> {
  /** Undefined when `report.unsupported` lists ops. */
  readonly model: OnnxModel | undefined;
}

/** `translate`, up to the model as data that can be changed further. Throws ModelFileError. */
export function translateModel(
  source: ByteSource,
  platform: Platform,
  options: TranslateOptions = {},
): ModelTranslation {
  const { inputs, keepsPlaces = false } = options;
  const file = readProgramFile(source, platform, {
    ...(inputs !== undefined && { inputs }),
    ...(keepsPlaces && { keepsPlaces }),
  });
  const location = options.weights === "embedded" ? undefined : source.name;
  const weights = readWeights(platform, options.weightsFrom);
  const prepare = (program: Program): Program =>
    withExposedValues(
      renamed(withWeights(program, file, options.weightsFrom, weights), options.rename),
      options.exposes ?? [],
    );
  const lowered = lowerFile(file, {
    location,
    prepare,
    keepsPlaces,
    ...(options.areIndicesChecked === true && { areIndicesChecked: true }),
  });
  const { unsupported } = lowered;
  const warnings = [...lowered.warnings];
  const whole = unsupported.length > 0 ? undefined : lowered.model;
  const read = reader(source, weights);
  const changed = whole === undefined ? undefined : inPrecision(whole, options, { read, warnings });
  const model = keepsPlaces && changed !== undefined && changed !== whole ? named(changed) : changed;
  return {
    model,
    inputs: lowered.inputs,
    outputs: lowered.outputs,
    guards: lowered.guards,
    ...(lowered.program.state !== undefined && { state: lowered.program.state }),
    report: { unsupported, warnings },
    sampleInputs: model === undefined ? undefined : samplesOf(file, lowered, warnings),
    format: file.format,
    ...(lowered.places !== undefined && { places: lowered.places }),
    rowMixing: programRowMixing(lowered.program, model),
    ...countWeights(lowered.program),
    ...(model !== undefined && model !== whole && { weightBytes: weightBytes(model) }),
  };
}

function readWeights(platform: Platform, from: WeightsSource | undefined): WeightsFile | undefined {
  return from && readWeightsFile(from.source, platform, (name) => from.openShard(name));
}

function withWeights(
  program: Program,
  { format }: ProgramFile,
  ...[from, weights]: [WeightsSource | undefined, WeightsFile | undefined]
): Program {
  if (from === undefined || weights === undefined) return program;
  const location = (tensor: string): string | null =>
    from.isBeside ? weights.sources.get(tensor)!.name : null;
  return swapWeights(program, weights, { isComplete: format === "pt2", location });
}

function renamed(program: Program, rename: TranslateOptions["rename"]): Program {
  if (rename === undefined) return program;
  const names = rename(program);
  return {
    ...program,
    inputs: program.inputs.map((input, i) => ({ ...input, ...names.inputs[i] })),
    outputs: program.outputs.map((output, i) => ({ ...output, ...names.outputs[i] })),
  };
}

function inPrecision(
  model: OnnxModel,
  { precision }: TranslateOptions,
  { read, warnings }: { readonly read: (data: ExternalData) => Uint8Array; readonly warnings: string[] },
): OnnxModel {
  if (precision === undefined) return model;
  const result = quantizeModel(model, { precision, read });
  warnings.push(precisionNote(precision, result));
  return result.model;
}

/** A rewrite adds nodes without names, which a profile of the engine needs. */
function named(model: OnnxModel): OnnxModel {
  const nodes = model.graph.nodes.map((node) =>
    node.name === undefined ? { ...node, name: node.outputs[0]! } : node,
  );
  return { ...model, graph: { ...model.graph, nodes } };
}

/** Reads what initializers point into: the program's file, or one of the files whose weights replace its own. */
function reader(source: ByteSource, weights: WeightsFile | undefined): (data: ExternalData) => Uint8Array {
  const files = new Map([...new Set(weights?.sources.values())].map((file) => [file.name, file]));
  return ({ location, offset, byteLength }) => {
    const file = location === source.name ? source : files.get(location);
    if (file === undefined) throw new ModelFileError("corrupt", "a weight lies in a file that is not open");
    return file.read(offset, byteLength);
  };
}

/** Samples are a help, not a part of the program: broken ones are worth a warning. */
function samplesOf(
  file: ProgramFile,
  { inputs }: Pick<LoweredProgram, "inputs">,
  warnings: string[],
): readonly SampleTensor[] | undefined {
  try {
    return file.sampleInputs(inputs);
  } catch (error) {
    if (!(error instanceof ModelFileError) || error.kind === "unreadable") throw error;
    warnings.push(`the sample inputs stored with the program cannot be read: ${error.message}`);
    return undefined;
  }
}
