import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MissingInputs } from "@sconce/torch";
import { ServeError } from "../../base/errors.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import type { Command } from "../command.ts";
import { factsOfFile } from "../inspect/model-file-facts.ts";
import { looksLikePath, requireModelFile } from "../model-path.ts";
import { requireWritable, writeOutput } from "../output-draft.ts";
import { STATED_INPUTS, statedInputs } from "../stated-inputs.ts";
import { usageError } from "../usage-error.ts";
import { modelYaml, modelYamlOfScript } from "./model-yaml.ts";

const INIT_OPTIONS = {
  output: {
    kind: "text",
    default: null,
    doc: "Where to write (-o); - is standard output. Default: model.yaml beside FILE, which must be the only model there.",
  },
} as const;

export const initCommand: Command = {
  name: "init",
  usage: "FILE",
  summary: "Writes a model.yaml for a model file, in which every setting is explained and none is changed.",
  tables: [INIT_OPTIONS, STATED_INPUTS],
  async run(args, terminal) {
    const { output } = resolveOptions(INIT_OPTIONS, { flags: args.flags });
    const [path, ...others] = args.positionals;
    if (path === undefined || others.length > 0) {
      throw usageError(`expected one FILE, got ${path === undefined ? "none" : args.positionals.length}`);
    }
    requireModelFile(path);
    const target = output ?? placeBeside(path);
    if (target !== "-" && existsSync(target)) {
      throw usageError(`${target} is there already; -o NAME writes another, -o - shows it`);
    }
    if (target !== "-") requireWritable(target);
    terminal.progress?.(`reading ${path}`);
    const text = yamlFor(path, statedInputs(args));
    if (target === "-") {
      terminal.stdout.write(text);
      return 0;
    }
    await writeOutput(target, text);
    const isRead = basename(target) === "model.yaml";
    const reader = isRead ? `sconce serve ${dirname(target)} reads it` : "a server reads it as model.yaml";
    terminal.stdout.write(`${target} explains what can be set; ${reader}\n`);
    return 0;
  },
};

/** A model.yaml is for a folder that is one model. */
function placeBeside(path: string): string {
  const folder = dirname(path);
  const neighbours = readdirSync(folder).filter((name) => name !== basename(path) && looksLikePath(name));
  if (neighbours.length === 0) return join(folder, "model.yaml");
  const own = join(folder, basename(path).replace(/\.[^.]+$/, ""));
  throw usageError(
    `${folder} holds other models (${neighbours[0]}), and a model.yaml is for a folder of one: move ${basename(path)} to ${own}/, or choose a place with -o`,
  );
}

function yamlFor(path: string, inputs: ReturnType<typeof statedInputs>): string {
  try {
    return modelYaml(basename(path), factsOfFile(path, inputs));
  } catch (error) {
    if (error instanceof ServeError && error.cause instanceof MissingInputs)
      return modelYamlOfScript(basename(path), error.cause);
    throw error;
  }
}
