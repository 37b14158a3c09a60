import { statSync } from "node:fs";
import {
  indexBounds,
  ModelFileError,
  type QuantizedModel,
  type QuantizedPrecision,
  quantizeModel,
} from "@sconce/torch";
import { ServeError } from "../base/errors.ts";
import type { OptionValues } from "../config/option.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import type { Command, Terminal } from "./command.ts";
import { compareModels } from "./compare-models.ts";
import { inputAndOutput } from "./input-and-output.ts";
import { type OpenModel, openModel } from "./open-model.ts";
import { QUANTIZE_OPTIONS } from "./quantize-options.ts";
import { type QuantizeReport, reportText } from "./quantize-report.ts";
import { inputFiles, makeTrials, readTrial } from "./trial-inputs.ts";
import { withTrialRuntime } from "./trial-runtime.ts";
import { writeOnnx } from "./write-onnx.ts";

type Options = OptionValues<typeof QUANTIZE_OPTIONS>;

export const quantizeCommand: Command = {
  name: "quantize",
  usage: "FILE --int8 | --int4 | --int8-weights | --fp16 -o OUT.onnx",
  summary:
    "Writes a model with weights in fewer bits, and reports how far its answers are from the float model's.",
  tables: [QUANTIZE_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(QUANTIZE_OPTIONS, { flags: args.flags });
    const paths = inputAndOutput(args, options.output);
    const precision = onlyPrecision(options);
    const model = openModel(paths.input);
    try {
      const report = await quantize({ model, paths, precision, options }, terminal);
      terminal.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
      return withinLimit(report, options.maxError, terminal) ? 0 : 1;
    } finally {
      model.close();
    }
  },
};

interface Job {
  readonly model: OpenModel;
  readonly paths: { readonly input: string; readonly output: string };
  readonly precision: QuantizedPrecision;
  readonly options: Options;
}

async function quantize(
  { model, paths, precision, options }: Job,
  terminal: Terminal,
): Promise<QuantizeReport> {
  const result = rewritten(model, precision, options);
  const { byteLength } = writeOnnx(paths.output, result.model, model);
  return withTrialRuntime(terminal.env, async (load) => {
    const before = await load(paths.input);
    const after = await load(paths.output);
    const { signature } = before;
    const trials =
      options.input.length > 0
        ? await Promise.all(inputFiles(options.input).map((path) => readTrial(path, signature)))
        : makeTrials(signature, { bounds: indexBounds(model.model), seed: options.seed });
    return {
      precision,
      quantized: result.quantized,
      skipped: result.skipped,
      bytes: { before: statSync(paths.input).size, after: byteLength },
      isMadeUp: options.input.length === 0,
      ...(await compareModels(before, after, trials)),
    };
  });
}

function rewritten(model: OpenModel, precision: QuantizedPrecision, options: Options): QuantizedModel {
  const { blockSize, reduceRange, exclude } = options;
  try {
    const settings = { precision, blockSize, reduceRange, exclude: new Set(exclude), read: model.read };
    return quantizeModel(model.model, settings);
  } catch (error) {
    if (!(error instanceof ModelFileError)) throw error;
    throw new ServeError("failed_precondition", `${model.name}: ${error.message}`, { cause: error });
  }
}

function onlyPrecision(options: Options): QuantizedPrecision {
  const chosen = [
    ...(options.int8 ? (["int8"] as const) : []),
    ...(options.int4 ? (["int4"] as const) : []),
    ...(options.int8Weights ? (["int8-weights"] as const) : []),
    ...(options.fp16 ? (["float16"] as const) : []),
  ];
  if (chosen.length === 1) return chosen[0]!;
  throw new ServeError("invalid_argument", "expected one of --int8, --int4, --int8-weights and --fp16", {
    reason: "bad_arguments",
  });
}

function withinLimit({ outputs }: QuantizeReport, limit: number | undefined, terminal: Terminal): boolean {
  if (limit === undefined) return true;
  const beyond = outputs.filter(({ maxError }) => !(maxError <= limit));
  for (const { name, maxError } of beyond) {
    terminal.stderr.write(
      `sconce quantize: ${name} differs by ${maxError}, more than --max-error ${limit}\n`,
    );
  }
  return beyond.length === 0;
}
