import { resolveOptions } from "../../config/resolve-options.ts";
import type { Command } from "../command.ts";
import { fitLines } from "../fit-lines.ts";
import { usageError } from "../usage-error.ts";
import { findSource } from "./find-source.ts";
import { openPoints, type Plan } from "./plan.ts";
import { filesText, planText } from "./plan-text.ts";
import { type ComparedFile, compareFile, writeFiles } from "./planned-files.ts";
import { torchservePlan } from "./torchserve-plan.ts";
import { tritonPlan } from "./triton-plan.ts";

const MIGRATE_OPTIONS = {
  write: {
    kind: "flag",
    default: false,
    doc: "Write what is shown. What is there already and differs is left as it is.",
  },
  overwrite: {
    kind: "flag",
    default: false,
    doc: "With --write: replace settings that are there already and differ. Model files never are.",
  },
  output: {
    kind: "text",
    default: "models",
    doc: "Of TorchServe's archives: the folder (-o) in which they are laid out, as second names of the same files. Triton's repository is served where it lies.",
  },
  tsConfig: {
    kind: "text",
    default: null,
    doc: "TorchServe's config.properties. Default: the one in PATH or beside it.",
  },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;

export const migrateCommand: Command = {
  name: "migrate",
  usage: "PATH",
  summary:
    "Shows what becomes of a TorchServe model store with its config.properties, or of a Triton repository: which settings map to which, what runs without Python, what is not supported and what to do, and the files to write. Exit code 1 when something stands against the move.",
  tables: [MIGRATE_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(MIGRATE_OPTIONS, { flags: args.flags });
    const [path, ...others] = args.positionals;
    if (path === undefined || others.length > 0)
      throw usageError(`expected one PATH, got ${path === undefined ? "none" : args.positionals.length}`);
    const source = findSource(path, options.tsConfig);
    terminal.progress?.(`reading ${path}`);
    const plan =
      source.kind === "triton"
        ? await tritonPlan(source.store)
        : torchservePlan({ ...source, output: options.output, env: terminal.env });
    terminal.progress?.();
    const files = plan.files.map(compareFile);
    const left = options.write ? writeFiles(files, options) : undefined;
    const text = options.json ? json(plan, files, left) : `${planText(plan)}\n${end(plan, files, left)}`;
    terminal.stdout.write(options.json ? text : fitLines(text, terminal.widths?.stdout));
    return openPoints(plan) === 0 && (left ?? []).length === 0 ? 0 : 1;
  },
};

/** `left`: what was not written; undefined: nothing was to be. */
function end(plan: Plan, files: readonly ComparedFile[], left: readonly string[] | undefined): string {
  if (left === undefined)
    return `${filesText(files)}\nNothing is written yet: --write does. Then: ${plan.command}\n`;
  const written = files.filter(({ path, state }) => state !== "same" && !left.includes(path));
  const said = written.map(({ path }) => `wrote ${path}\n`);
  const kept = left.map(
    (path) => `left ${path} as it is: something else is there (--overwrite replaces settings)\n`,
  );
  return `${[...said, ...kept].join("")}\nServe it: ${plan.command}\n`;
}

function json(plan: Plan, files: readonly ComparedFile[], left: readonly string[] | undefined): string {
  const shown = files.map(({ path, state, planned }) => ({ ...planned, state, isWritten: isWritten(path) }));
  function isWritten(path: string): boolean {
    return left !== undefined && !left.includes(path);
  }
  return `${JSON.stringify({ ...plan, files: shown, openPoints: openPoints(plan) }, null, 2)}\n`;
}
