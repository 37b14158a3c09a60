import { statSync } from "node:fs";
import type { PortNaming, SummaryPort } from "@sconce/torch";
import { systemClock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { readPipeline } from "../../config/pipeline-settings.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import { createYamlReader } from "../../config/yaml-reader.ts";
import { nodeFileSystem } from "../../models/file-system.ts";
import type { ModelCandidate } from "../../models/model-candidate.ts";
import { createRepository } from "../../models/repository.ts";
import { renamedPorts } from "../../runtime/onnx/rename.ts";
import { scriptInputs } from "../../runtime/onnx/script-inputs.ts";
import type { Command, Terminal } from "../command.ts";
import { fitLines } from "../fit-lines.ts";
import { requireModelFile } from "../model-path.ts";
import { STATED_INPUTS, type StatedInputs, statedInputs } from "../stated-inputs.ts";
import { withTrialRuntime } from "../trial-runtime.ts";
import { usageError } from "../usage-error.ts";
import { factsText } from "./facts-text.ts";
import { type FoundModel, folderText } from "./folder-text.ts";
import { type Measured, measuredText, measureFile } from "./measured.ts";
import { factsOfFile, type ModelFileFacts } from "./model-file-facts.ts";

const INSPECT_OPTIONS = {
  load: {
    kind: "flag",
    default: false,
    doc: "Load the file in a worker as the server does, and measure memory, load and runs.",
  },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;

export const inspectCommand: Command = {
  name: "inspect",
  usage: "FILE | FOLDER",
  summary:
    "Shows what a model file takes and gives, whether it will batch, its memory and precision, what runs it and what would speed it up; of a folder, all models in it.",
  tables: [INSPECT_OPTIONS, STATED_INPUTS],
  async run(args, terminal) {
    const options = resolveOptions(INSPECT_OPTIONS, { flags: args.flags });
    const path = args.positionals[0];
    if (path === undefined || args.positionals.length > 1) {
      throw usageError(
        `expected one FILE or FOLDER, got ${args.positionals.length === 0 ? "none" : args.positionals.length}`,
      );
    }
    const job = { path, inputs: statedInputs(args), ...options };
    terminal.progress?.(`reading ${path}`);
    const text = isFolder(path) ? await inspectFolder(job) : await inspectFile(job, terminal);
    terminal.progress?.();
    terminal.stdout.write(options.json ? text : fitLines(text, terminal.widths?.stdout));
    return 0;
  },
};

interface Job {
  readonly path: string;
  readonly inputs: StatedInputs | undefined;
  readonly load: boolean;
  readonly json: boolean;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

async function inspectFile({ path, inputs, load, json }: Job, terminal: Terminal): Promise<string> {
  requireModelFile(path);
  const facts = factsOfFile(path, inputs);
  let measured: Measured | undefined;
  if (load && facts.runtime.name === "onnx") {
    terminal.progress?.(`loading ${path}`);
    measured = await withTrialRuntime(terminal.env, (loadTrial) =>
      measureFile(loadTrial, path, { inputs, facts }),
    );
  }
  if (json) {
    const { summary, ...others } = facts;
    return `${JSON.stringify({ ...summary, ...others, measured }, null, 2)}\n`;
  }
  return measured === undefined ? factsText(facts) : `${factsText(facts)}${measuredText(measured)}`;
}

/** Of every model that a server would find there. Nothing is run. */
async function inspectFolder({ path, json, load }: Job): Promise<string> {
  if (load) throw usageError("--load goes with one FILE; sconce check FOLDER loads all that is in a folder");
  const repository = createRepository({
    paths: [{ path }],
    fileSystem: nodeFileSystem,
    yaml: createYamlReader({ clock: systemClock }),
  });
  const { candidates, problems } = await repository.scan();
  const found = candidates.map(foundModel);
  if (json) {
    const models = found.map(({ facts, ...model }) => {
      const { summary, ...others } = facts ?? {};
      return { ...model, ...summary, ...others };
    });
    return `${JSON.stringify({ models, problems }, null, 2)}\n`;
  }
  if (found.length === 0) return `${path} holds no model\n`;
  return folderText(found, problems);
}

/** What its model.yaml says of a scripted program. */
function inputsOf({ settings }: ModelCandidate): StatedInputs | undefined {
  const texts = settings?.values["inputs"] as StatedInputs["texts"] | undefined;
  return texts === undefined ? undefined : { texts, types: scriptInputs(texts) };
}

/** With the names that its model.yaml gives inputs and outputs. Throws ServeError for one that the file does not have. */
function renamedFacts(facts: ModelFileFacts, { settings }: ModelCandidate): ModelFileFacts {
  const rename = settings?.values["rename"] as Readonly<Record<string, string>> | undefined;
  const { summary } = facts;
  const named = renamedPorts(
    { inputs: summary.inputs.map(namesOf), outputs: summary.outputs.map(namesOf) },
    rename,
  );
  const inputs = summary.inputs.map((port, i) => ({ ...port, ...named.inputs[i] }));
  const outputs = summary.outputs.map((port, i) => ({ ...port, ...named.outputs[i] }));
  return { ...facts, summary: { ...summary, inputs, outputs } };
}

function namesOf({ name, aliases }: SummaryPort): PortNaming {
  return aliases === undefined ? { name } : { name, aliases };
}

/** What model.yaml says of the steps; whether they fit together only loading them shows. */
function pipelineOf({ settings }: ModelCandidate): Pick<FoundModel, "problem" | "steps"> {
  try {
    return { steps: readPipeline(settings!).steps.map(({ model }) => model), problem: undefined };
  } catch (error) {
    return { problem: ServeError.from(error).message };
  }
}

function foundModel(candidate: ModelCandidate): FoundModel {
  const { name, version, remark, file, codeFile, problem } = candidate;
  const base = { name, version, remark };
  if (problem !== undefined || file === "") return { ...base, facts: undefined, problem };
  if (candidate.format === "pipeline") return { ...base, facts: undefined, ...pipelineOf(candidate) };
  if (candidate.format === "transform")
    return { ...base, facts: undefined, problem: "its handler makes it: sconce serve loads it" };
  if (codeFile !== undefined) {
    return {
      ...base,
      facts: undefined,
      problem: `${codeFile} makes it, which PyTorch runs: sconce check tries it`,
    };
  }
  try {
    const facts = factsOfFile(file, inputsOf(candidate));
    return { ...base, facts: renamedFacts(facts, candidate), problem: undefined };
  } catch (error) {
    return { ...base, facts: undefined, problem: ServeError.from(error).message };
  }
}
