import { existsSync } from "node:fs";
import { compareTensors } from "../../base/compare-tensors.ts";
import { ServeError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { OptionValues } from "../../config/option.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import { findPython } from "../../runtime/python/find-python.ts";
import { pythonWorkerEnv } from "../../worker/worker-env.ts";
import { readModelPorts } from "../bench/model-ports.ts";
import type { Command, Terminal } from "../command.ts";
import { loadSpecOf } from "../load-spec-of.ts";
import { missingFile } from "../model-path.ts";
import { type PrivateServer, startPrivateServer } from "../private/private-server.ts";
import { inputFiles, readTrial } from "../trial-inputs.ts";
import { usageError } from "../usage-error.ts";
import { askModel } from "./ask-model.ts";
import { type FoundDifference, findDifference } from "./find-difference.ts";
import { VERIFY_OPTIONS } from "./verify-options.ts";
import { type Compared, exitCodeOf, type Verdict, verdictOf, verifyText } from "./verify-text.ts";
import { type VerifyTrial, verifyTrials } from "./verify-trials.ts";

type Options = OptionValues<typeof VERIFY_OPTIONS>;

export const verifyCommand: Command = {
  name: "verify",
  usage: "MODEL",
  summary:
    "Shows that the translation of a model equals PyTorch: serves it with both, and compares what they answer to made-up inputs of many sizes, and to yours.",
  tables: [VERIFY_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(VERIFY_OPTIONS, { flags: args.flags });
    const [model, ...others] = args.positionals;
    if (model === undefined || others.length > 0) throw usageError("expected one MODEL: a file or a folder");
    if (!existsSync(model)) throw missingFile(model, "file or folder");
    const python = options.python === undefined ? {} : { "--python": options.python };
    const { verdict, differing } = await withServers(
      model,
      { terminal, python },
      async (translated, reference) => {
        const { signature, hasSequences } = await readModelPorts({ ...translated, version: undefined });
        const own = await Promise.all(
          inputFiles(options.input).map(async (file): Promise<VerifyTrial> => {
            const { label, inputs } = await readTrial(file, signature);
            return {
              label,
              inputs: inputs.map((tensor, i) => ({ ...tensor, name: signature.inputs[i]!.name })),
            };
          }),
        );
        const trials = [...own, ...verifyTrials(signature, options.seed)];
        const outcomes: Compared[] = [];
        for (const [done, trial] of trials.entries()) {
          terminal.progress?.(`comparing ${done + 1} of ${trials.length}: ${trial.label}`);
          const asked = { ...trial, hasSequences };
          const [got, want] = [await askModel(translated, asked), await askModel(reference, asked)];
          outcomes.push({ label: trial.label, got, want });
        }
        const verdict = verdictOf(outcomes, { tolerance: options.tolerance, compare: compareTensors });
        return { verdict, differing: differingInputs(verdict, trials) };
      },
    );
    const begins = differing && (await whereItBegins(model, differing, { options, terminal }));
    terminal.progress?.();
    terminal.stdout.write(
      options.json
        ? `${JSON.stringify({ model, ...verdict, ...(begins !== undefined && { begins }) })}\n`
        : verifyText(model, verdict, begins),
    );
    return exitCodeOf(verdict);
  },
};

/** The inputs of the trial that differs most; undefined: none does that both answered. */
function differingInputs(
  { outputs, tolerance }: Verdict,
  trials: readonly VerifyTrial[],
): readonly Tensor[] | undefined {
  const [worst] = outputs.filter(({ error }) => error > tolerance).sort((a, b) => b.error - a.error);
  return worst && trials.find(({ label }) => label === worst.trial)?.inputs;
}

async function whereItBegins(
  model: string,
  inputs: readonly Tensor[],
  { options, terminal }: { readonly options: Options; readonly terminal: Terminal },
): Promise<FoundDifference> {
  terminal.progress?.("looking for the first operation that differs");
  const spec = await loadSpecOf(model, options.python);
  const wished = spec.options.python ?? { interpreter: undefined, folders: [] };
  const { program: python } = findPython(wished, terminal.env["PATH"] ?? "");
  const { tolerance } = options;
  return findDifference({ spec, inputs, tolerance, python, env: pythonWorkerEnv(terminal.env) });
}

/** Both ways to run a model, each in a server of its own. Throws what stands against either, saying which. */
async function withServers<T>(
  model: string,
  { terminal, python }: { readonly terminal: Terminal; readonly python: Readonly<Record<string, string>> },
  use: (translated: PrivateServer, reference: PrivateServer) => Promise<T>,
): Promise<T> {
  const start = async (runtime: string, flags: Readonly<Record<string, string>>): Promise<PrivateServer> => {
    terminal.progress?.(`loading ${model} with ${runtime}`);
    try {
      return await startPrivateServer(model, { "--translation-cache": "off", ...flags });
    } catch (error) {
      const { code, message, reason } = ServeError.from(error);
      throw ServeError.of(code, `${runtime}: ${message}`, { reason, cause: error });
    }
  };
  const translated = await start("ONNX Runtime", { "--runtime": "onnx" });
  try {
    const reference = await start("PyTorch", { "--runtime": "python", ...python });
    try {
      return await use(translated, reference);
    } finally {
      await reference.stop();
    }
  } finally {
    await translated.stop();
  }
}
