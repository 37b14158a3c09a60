import {
  encodeModel,
  indexBounds,
  inlineSmallWeights,
  ModelFileError,
  opsOf,
  type QuantizedModel,
  type QuantizedPrecision,
  quantizedOps,
  quantizeModel,
  quantizeStatic,
  type ValueRange,
} from "@sconce/torch";
import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";
import type { OptionValues } from "../config/option.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import type { Command, Terminal } from "./command.ts";
import { compareModels } from "./compare-models.ts";
import { fitLines } from "./fit-lines.ts";
import { inputAndOutput } from "./input-and-output.ts";
import { measureRanges } from "./measure-ranges.ts";
import { type OpenModel, openModel } from "./open-model.ts";
import { withOutputDraft } from "./output-draft.ts";
import { QUANTIZE_OPTIONS } from "./quantize-options.ts";
import { type QuantizeReport, reportText } from "./quantize-report.ts";
import { rangeMethod } from "./range-method.ts";
import { STATED_INPUTS, type StatedInputs, statedInputs } from "./stated-inputs.ts";
import { inputFiles, makeTrials, readTrial, type Trial } from "./trial-inputs.ts";
import { withTrialRuntime } from "./trial-runtime.ts";
import { usageError } from "./usage-error.ts";
import { writeOnnx } from "./write-onnx.ts";

type Options = OptionValues<typeof QUANTIZE_OPTIONS>;

export const quantizeCommand: Command = {
  name: "quantize",
  usage: "FILE --int8 | --int4 | --int8-weights | --fp16 -o OUT.onnx",
  summary:
    "Writes a model with weights in fewer bits, and reports how far its answers are from the float model's.",
  tables: [QUANTIZE_OPTIONS, STATED_INPUTS],
  async run(args, terminal) {
    const options = resolveOptions(QUANTIZE_OPTIONS, { flags: args.flags });
    const paths = inputAndOutput(args, options.output);
    const precision = onlyPrecision(options);
    const inputs = statedInputs(args);
    terminal.progress?.(`reading and translating ${paths.input}`);
    const model = openModel(paths.input, inputs);
    try {
      requireKnownWeights(model, options.exclude);
      return await withOutputDraft(paths.output, async (draft) => {
        const job = { model, inputs, paths: { ...paths, output: draft }, precision, options };
        const report = await quantize(job, terminal);
        terminal.progress?.();
        const text = options.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report);
        terminal.stdout.write(options.json ? text : fitLines(text, terminal.widths?.stdout));
        const keep = withinLimit(report, options.maxError, terminal);
        return { keep, value: keep ? 0 : 1 };
      });
    } finally {
      model.close();
    }
  },
};

interface Job {
  readonly model: OpenModel;
  readonly inputs: StatedInputs | undefined;
  readonly paths: { readonly input: string; readonly output: string };
  readonly precision: QuantizedPrecision;
  readonly options: Options;
}

async function quantize(
  { model, inputs, paths, precision, options }: Job,
  terminal: Terminal,
): Promise<QuantizeReport> {
  return withTrialRuntime(terminal.env, async (load) => {
    terminal.progress?.("loading the float model");
    const before = await load(paths.input, inputs);
    const given = (files: readonly string[]): Promise<Trial[]> =>
      Promise.all(inputFiles(files).map((path) => readTrial(path, before.signature)));
    const calibrate = async (): Promise<ReadonlyMap<string, ValueRange>> => {
      terminal.progress?.("measuring activations on the calibration inputs");
      return measureRanges(model, {
        load,
        trials: await given(options.calibration),
        exclude: new Set(options.exclude),
        method: rangeMethod(options.ranges),
      });
    };
    const trials =
      options.input.length > 0
        ? await given(options.input)
        : makeTrials(before.signature, { bounds: indexBounds(model.model), seed: options.seed });
    terminal.progress?.(`quantizing to ${precision}`);
    const result = await rewritten(model, { precision, options, calibrate });
    const { byteLength } = writeOnnx(paths.output, result.model, model);
    terminal.progress?.("loading the quantized model, and comparing the two");
    const after = await load(paths.output);
    return {
      precision: options.static ? staticName(options.ranges) : precision,
      quantized: result.quantized,
      skipped: result.skipped,
      already: quantizedOps(opsOf(model.model)),
      bytes: { before: onnxBytes(model), after: byteLength },
      batching: { before: before.signature.batching, after: after.signature.batching },
      isMadeUp: options.input.length === 0,
      ...(await compareModels(before, after, trials, { maxRows: options.maxBatchSize })),
    };
  });
}

/** What the model takes as ONNX with all of its weights, but for a few bytes: the size that fewer bits are to be compared with. */
function onnxBytes({ model, read }: OpenModel): number {
  const small = inlineSmallWeights(model, read);
  const outside = small.graph.initializers.reduce(
    (sum, { data }) => sum + (data instanceof Uint8Array ? 0 : data.byteLength),
    0,
  );
  return encodeModel(small).length + outside;
}

/** A name that no weight has leaves nothing alone, and nobody would see it. */
function requireKnownWeights({ model }: OpenModel, exclude: readonly string[]): void {
  const names = model.graph.initializers.filter(({ dtype }) => dtype === "float32").map(({ name }) => name);
  const unknown = exclude.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const near = nearestWord(unknown, names) ?? names.find((name) => name.includes(unknown));
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  throw usageError(`--exclude: the model has no weight ${JSON.stringify(unknown.slice(0, 80))}${hint}`);
}

function staticName(ranges: string): string {
  return ranges === QUANTIZE_OPTIONS.ranges.default ? "int8, static" : `int8, static, ${ranges}`;
}

interface Rewriting extends Pick<Job, "precision" | "options"> {
  calibrate(): Promise<ReadonlyMap<string, ValueRange>>;
}

async function rewritten(
  { model, name, read }: OpenModel,
  { precision, options, calibrate }: Rewriting,
): Promise<QuantizedModel> {
  const { blockSize, reduceRange } = options;
  const exclude = new Set(options.exclude);
  try {
    return options.static
      ? quantizeStatic(model, await calibrate(), { read, reduceRange, exclude })
      : quantizeModel(model, { precision, blockSize, reduceRange, exclude, read });
  } catch (error) {
    if (!(error instanceof ModelFileError)) throw error;
    throw new ServeError("failed_precondition", `${name}: ${error.message}`, { cause: error });
  }
}

function onlyPrecision(options: Options): QuantizedPrecision {
  const chosen = [
    ...(options.int8 ? (["int8"] as const) : []),
    ...(options.int4 ? (["int4"] as const) : []),
    ...(options.int8Weights ? (["int8-weights"] as const) : []),
    ...(options.fp16 ? (["float16"] as const) : []),
  ];
  if (options.static !== options.calibration.length > 0) {
    throw usageError("--static needs typical inputs in --calibration, and only --static does");
  }
  rangeMethod(options.ranges);
  if (!options.static && options.ranges !== QUANTIZE_OPTIONS.ranges.default)
    throw usageError("--ranges goes with --static");
  if (options.static && chosen[0] !== "int8") throw usageError("--static goes with --int8 alone");
  if (chosen.length === 1) return chosen[0]!;
  throw usageError("expected one of --int8, --int4, --int8-weights and --fp16");
}

function withinLimit({ outputs }: QuantizeReport, limit: number | undefined, terminal: Terminal): boolean {
  if (limit === undefined) return true;
  const beyond = outputs.filter(({ maxError }) => !(maxError <= limit));
  for (const { name, maxError } of beyond) {
    terminal.stderr.write(
      `sconce quantize: ${name} differs by ${maxError}, more than --max-error ${limit}: nothing was written\n`,
    );
  }
  return beyond.length === 0;
}
