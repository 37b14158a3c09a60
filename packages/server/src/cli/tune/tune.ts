import { existsSync } from "node:fs";
import { usableCores } from "../../base/cgroup.ts";
import { systemClock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { loadConfig } from "../../config/load-config.ts";
import { MODEL_OPTIONS } from "../../config/model-options.ts";
import { flagName, type OptionValues } from "../../config/option.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import type { Arguments } from "../arguments.ts";
import { loadBody } from "../bench/load-body.ts";
import { readModelPorts } from "../bench/model-ports.ts";
import type { Command, Terminal } from "../command.ts";
import { withFoundConfig } from "../found-config.ts";
import { type ComparedFile, compareFile, writeFiles } from "../migrate/planned-files.ts";
import { missingFile } from "../model-path.ts";
import { randomNumbers } from "../trial-inputs.ts";
import { usageError } from "../usage-error.ts";
import { keyOf } from "./search.ts";
import { type RunParts, startWith } from "./settings-runs.ts";
import { changedSettings, settingsSpace } from "./settings-space.ts";
import { parseSlo } from "./slo.ts";
import { TUNE_OPTIONS } from "./tune-options.ts";
import type { TuneReport } from "./tune-report.ts";
import { fileText, tuneText } from "./tune-text.ts";
import { patchedYaml, type TunedModel, tunedModel } from "./tuned-model.ts";
import { tuned } from "./tuning.ts";

type TuneValues = OptionValues<typeof TUNE_OPTIONS>;

export const tuneCommand: Command = {
  name: "tune",
  usage: "MODEL",
  summary:
    "Looks for the settings of a model that keep a latency and carry most, or are fastest at a rate: tries them in private servers and shows, or writes, its model.yaml. Exit code 1 when nothing keeps the latency.",
  tables: [TUNE_OPTIONS, MODEL_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(TUNE_OPTIONS, { flags: args.flags });
    const parts = await runParts(args, options, terminal);
    const { model } = parts;
    if (options.write && model.misplaced !== undefined) throw usageError(`--write: ${model.misplaced}`);
    const report = await tuneModel(parts, options, terminal);
    const file = plannedFile(model, report);
    const isWritten =
      options.write && file !== undefined && writeFiles([file], { overwrite: true }).length === 0;
    terminal.progress?.();
    terminal.stdout.write(
      options.json
        ? `${JSON.stringify({ ...report, file: file && { path: file.path, diff: file.diff, isWritten } })}\n`
        : `${tuneText(report)}\n${fileText(file, { isWritten, misplaced: model.misplaced })}`,
    );
    return report.isMet ? 0 : 1;
  },
};

async function runParts(args: Arguments, options: TuneValues, terminal: Terminal): Promise<RunParts> {
  const [path, ...others] = args.positionals;
  if (path === undefined || others.length > 0) throw usageError("expected one MODEL: a file or a folder");
  if (options.slo === undefined)
    throw usageError("--slo is missing: the latency to keep, such as --slo p99=50ms");
  if (options.rate !== undefined && options.maxThroughput)
    throw usageError("--rate and --max-throughput: choose one of them");
  const goals = parseSlo(options.slo);
  const maxError = options.maxError === undefined ? undefined : parseError(options.maxError);
  if (!existsSync(path)) throw missingFile(path, "file or folder");
  const flags = modelFlags(args);
  const found = withFoundConfig(new Map(Object.entries(flags)), terminal.env);
  const config = loadConfig({ flags: found.flags, env: terminal.env });
  const model = await tunedModel(path, config.modelDefaults);
  const { rate, maxConnections, windowMs, protocol, input, rows, size } = options;
  const made = { input, rows, size, seed: 1 };
  const random = randomNumbers(1);
  return { model, flags, goals, rate, maxConnections, windowMs, protocol, made, maxError, random };
}

function modelFlags(args: Arguments): Readonly<Record<string, string>> {
  const names = new Set(Object.keys(MODEL_OPTIONS).map(flagName));
  return Object.fromEntries(
    [...args.flags].filter(([name]) => names.has(name)).map(([name, value]) => [name, String(value)]),
  );
}

function parseError(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value < 1) return value;
  throw new ServeError(
    "invalid_argument",
    `--max-error: expected a share between 0 and 1, such as 1e-2, got ${JSON.stringify(text.slice(0, 80))}`,
    {
      reason: "bad_option",
    },
  );
}

async function tuneModel(parts: RunParts, options: TuneValues, terminal: Terminal): Promise<TuneReport> {
  const { model, goals, maxError } = parts;
  terminal.progress?.(`starting ${model.name} as it is`);
  const now = await startWith(parts, model.current);
  try {
    const ports = await readModelPorts(now.target);
    const body = await loadBody(now.target, parts.made);
    const facts = {
      cores: usableCores(),
      isBatching: ports.isBatching,
      isTranslated: ports.runtime === "onnx",
      mayChangeAnswers: maxError !== undefined,
      limitMs: Math.min(...goals.map(({ limitMs }) => limitMs)),
    };
    const space = settingsSpace(model.current, facts);
    return await tuned(
      { parts, now, body, space, facts },
      {
        budgetMs: options.budgetMs,
        rounds: options.rounds,
        clock: systemClock,
        progress: (text) => terminal.progress?.(text),
      },
    );
  } finally {
    await now.stop();
  }
}

/** What model.yaml becomes; undefined: it stays as it is. */
function plannedFile(
  { configFile, current }: TunedModel,
  { chosen, isMet }: TuneReport,
): ComparedFile | undefined {
  if (!isMet || keyOf(chosen) === keyOf(current)) return undefined;
  const text = patchedYaml(configFile, changedSettings(chosen, current));
  return compareFile({ path: configFile, text });
}
