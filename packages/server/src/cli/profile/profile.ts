import { existsSync } from "node:fs";
import { VERSION } from "../../app/version.ts";
import type { Signature } from "../../base/signature.ts";
import type { Tensor } from "../../base/tensor.ts";
import { type Config, loadConfig } from "../../config/load-config.ts";
import { MODEL_OPTIONS } from "../../config/model-options.ts";
import { flagName, type OptionValues } from "../../config/option.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import { readProfileFiles } from "../../runtime/onnx/profile-files.ts";
import type { LoadedModel } from "../../runtime/runtime.ts";
import type { Arguments } from "../arguments.ts";
import type { Command, Terminal } from "../command.ts";
import { missingFile } from "../model-path.ts";
import { requireWritable, writeOutput } from "../output-draft.ts";
import { ACCESS_OPTIONS, serverAccess } from "../server-access.ts";
import { withTemporaryFolder } from "../temporary-folder.ts";
import { madeUp, randomNumbers, readTrial } from "../trial-inputs.ts";
import { usageError } from "../usage-error.ts";
import { engineProfile } from "./engine-profile.ts";
import { PROFILE_OPTIONS } from "./profile-options.ts";
import { type ProfileReport, profileReport } from "./profile-report.ts";
import { fasterHalf, mean } from "./profile-sample.ts";
import { profileServer } from "./profile-server.ts";
import { profileText } from "./profile-text.ts";
import { loadProfiled, type ProfiledModel } from "./profiled-model.ts";
import { speedscope } from "./speedscope.ts";
import { torchProfile } from "./torch-profile.ts";

type ProfileValues = OptionValues<typeof PROFILE_OPTIONS>;

/** Runs that are not looked at: the first ones allocate. */
const SKIPPED_RUNS = 3;
/** No server is asked for anything but this model. */
const SERVER_FLAGS = [
  ["--port", "0"],
  ["--spare-workers", "0"],
] as const;

export const profileCommand: Command = {
  name: "profile",
  usage: "MODEL",
  summary:
    "Says which modules and operations of a model its runs spend their time on, in PyTorch's own names: loads a file or folder as the server would, in a worker of its own.",
  tables: [PROFILE_OPTIONS, ACCESS_OPTIONS, MODEL_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(PROFILE_OPTIONS, { flags: args.flags });
    const config = configOf(args);
    const [model, ...others] = args.positionals;
    const { server, seconds, output } = options;
    if (server !== undefined) {
      if (model !== undefined) throw usageError("--server profiles the server itself: leave MODEL out");
      if (output === undefined) throw usageError("--server needs -o FILE, such as server.cpuprofile");
      await profileServer({ server, seconds, output }, serverAccess(args, terminal));
      return 0;
    }
    if (model === undefined || others.length > 0) throw usageError("expected one MODEL: a file or a folder");
    if (!existsSync(model)) throw missingFile(model, "file or folder");
    if (options.flame !== undefined) requireWritable(options.flame, "--flame");
    const report = await measured(model, { config, options, terminal });
    terminal.progress?.();
    if (options.flame !== undefined) {
      await writeOutput(
        options.flame,
        speedscope(report.model, report.samples, `sconce ${VERSION}`),
        "--flame",
      );
    }
    terminal.stdout.write(options.json ? `${JSON.stringify(report)}\n` : profileText(report, options));
    return 0;
  },
};

interface Measuring {
  readonly config: Config;
  readonly options: ProfileValues;
  readonly terminal: Terminal;
}

/** Of a server that has this model alone. */
function configOf({ flags }: Arguments): Config {
  const names = new Set(Object.keys(MODEL_OPTIONS).map(flagName));
  return loadConfig({ flags: new Map([...SERVER_FLAGS, ...[...flags].filter(([name]) => names.has(name))]) });
}

async function measured(path: string, { config, options, terminal }: Measuring): Promise<ProfileReport> {
  return withTemporaryFolder("profile", async (folder) => {
    terminal.progress?.(`loading ${path}`);
    const profile = { folder, skip: SKIPPED_RUNS, runs: options.runs };
    const model = await loadProfiled(path, { config, profile });
    try {
      return await profiled(model, { folder, options, terminal });
    } finally {
      await model.close();
    }
  });
}

async function profiled(
  { name, spec, plain, profiled: watched }: ProfiledModel,
  { folder, options, terminal }: Omit<Measuring, "config"> & { readonly folder: string },
): Promise<ProfileReport> {
  const { signature, runtime } = plain.description;
  const inputs = await inputsFor(signature, options);
  const plainMs: number[] = [];
  // In turn, so that what else the machine does meets both.
  for (let i = 0; i < SKIPPED_RUNS + options.runs; i++) {
    terminal.progress?.(`run ${i + 1} of ${SKIPPED_RUNS + options.runs}`);
    const ms = await runOnce(plain, inputs);
    if (i >= SKIPPED_RUNS) plainMs.push(ms);
    await runOnce(watched, inputs);
  }
  const { file } = spec;
  const found =
    runtime === "python"
      ? torchProfile(folder)
      : engineProfile(readProfileFiles(folder), { file, runs: options.runs });
  return profileReport(found, {
    model: name,
    runtime,
    rows: inputs[0]?.shape[0] ?? 1,
    runs: options.runs,
    threads: spec.options.threadsPerInstance,
    plainMs: mean(fasterHalf(plainMs, (ms) => ms)),
  });
}

async function runOnce({ instances }: LoadedModel, inputs: readonly Tensor[]): Promise<number> {
  const { computeMs } = await instances[0]!.run({
    inputs: inputs.map(({ datatype, shape, bytes }) => ({ datatype, shape, chunks: [bytes] })),
  });
  return computeMs;
}

async function inputsFor(
  signature: Signature,
  { input, rows, size }: ProfileValues,
): Promise<readonly Tensor[]> {
  if (input !== undefined) return (await readTrial(input, signature)).inputs;
  const next = randomNumbers(1);
  const sizes = new Map<string, number>();
  return signature.inputs.map((spec) => {
    const shape = spec.dims.map((dim, axis) => {
      if (typeof dim === "number") return dim;
      const known = sizes.get(dim.symbol);
      if (known !== undefined) return known;
      const { min, max = Number.POSITIVE_INFINITY, multipleOf = 1 } = dim;
      const wish = Math.min(Math.max(axis === 0 ? rows : size, min), max);
      const fitting = Math.max(multipleOf, Math.floor(wish / multipleOf) * multipleOf);
      sizes.set(dim.symbol, fitting);
      return fitting;
    });
    return madeUp(spec, shape, { bound: undefined, next });
  });
}
