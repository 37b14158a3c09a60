import { VERSION } from "../app/version.ts";
import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";
import { oneLine, printable } from "../base/printable.ts";
import { indented, optionsHelp } from "../config/option-docs.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { fitLines } from "./fit-lines.ts";
import { requirePython } from "./model-path.ts";
import { progressLine } from "./progress-line.ts";
import { isUsage, optionsNamedIn } from "./usage-error.ts";

/** In the order of the help. Each is loaded when it is used: a server starts sooner without what translates models. */
export const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["serve", async () => (await import("./serve.ts")).serveCommand],
  ["inspect", async () => (await import("./inspect/inspect.ts")).inspectCommand],
  ["predict", async () => (await import("./predict.ts")).predictCommand],
  ["convert", async () => (await import("./convert.ts")).convertCommand],
  ["bench", async () => (await import("./bench/bench.ts")).benchCommand],
  ["why", async () => (await import("./why/why.ts")).whyCommand],
  ["tune", async () => (await import("./tune/tune.ts")).tuneCommand],
  ["profile", async () => (await import("./profile/profile.ts")).profileCommand],
  ["list", async () => (await import("./list/list.ts")).listCommand],
  ["check", async () => (await import("./list/check.ts")).checkCommand],
  ["init", async () => (await import("./init/init.ts")).initCommand],
  ["completion", async () => (await import("./completion.ts")).completionCommand(COMMANDS)],
  ["export", async () => (await import("./export/export.ts")).exportCommand],
  ["verify", async () => (await import("./verify/verify.ts")).verifyCommand],
  ["migrate", async () => (await import("./migrate/migrate.ts")).migrateCommand],
  ["curl", async () => (await import("./curl/curl.ts")).curlCommand],
  ["types", async () => (await import("./types/types.ts")).typesCommand],
  ["quantize", async () => (await import("./quantize.ts")).quantizeCommand],
  ["doctor", async () => (await import("./doctor/doctor.ts")).doctorCommand],
  ["rollout", async () => (await import("./rollout/rollout.ts")).rolloutCommand],
  ["keys", async () => (await import("./keys.ts")).keysCommand],
]);

/** What other programs call them, and no slip of the fingers. */
const WORDS_OF_OTHERS: ReadonlyMap<string, string> = new Map([
  ["run", "serve"],
  ["start", "serve"],
  ["infer", "predict"],
  ["ls", "list"],
  ["models", "list"],
  ["show", "inspect"],
  ["info", "inspect"],
  ["describe", "inspect"],
  ["validate", "check"],
  ["benchmark", "bench"],
  ["version", "--version"],
]);

const EXIT_USAGE = 2;

const WIDEST = 100;
const NARROWEST = 40;

function widthOf({ columns = WIDEST }: Terminal): number {
  return Math.max(NARROWEST, Math.min(WIDEST, columns));
}

async function usage(terminal: Terminal): Promise<string> {
  const width = widthOf(terminal);
  const commands = await Promise.all(Array.from(COMMANDS.values(), (load) => load()));
  const lines = commands.map(
    (command) =>
      `${indented(`sconce ${command.name} ${command.usage}`.trimEnd(), 2, width)}\n${indented(command.summary, 6, width)}`,
  );
  const title = indented(`Sconce ${VERSION} serves PyTorch models over REST and gRPC.`, 0, width);
  const more = indented("sconce COMMAND --help lists a command's options.", 0, width);
  return `${title}\n\n${lines.join("\n")}\n\n${more}\n`;
}

function commandHelp(command: Command, terminal: Terminal): string {
  const width = widthOf(terminal);
  const options = command.tables.map((table) => optionsHelp(table, width)).join("\n");
  const head = indented(`sconce ${command.name} ${command.usage}`.trimEnd(), 0, width);
  return `${head}\n\n${indented(command.summary, 0, width)}\n\nOptions:\n${options}\n`;
}

const progress = progressLine(process.stderr);

/** What is being done is no part of what is told. */
function written(stream: NodeJS.WriteStream, text: string): boolean {
  progress?.();
  return stream.write(printable(text));
}

/** The terminal of this process. Names and texts of models pass through here: none of them steers it. */
export const processTerminal: Terminal = {
  stdout: { write: (text) => written(process.stdout, text) },
  stderr: { write: (text) => written(process.stderr, text) },
  env: process.env,
  get columns() {
    return process.stdout.columns ?? process.stderr.columns;
  },
  get widths() {
    return { stdout: process.stdout.columns, stderr: process.stderr.columns };
  },
  progress,
  isInteractive: process.stdin.isTTY === true || process.stdout.isTTY === true,
  async readStdin() {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  },
};

/** Runs the `sconce` program; resolves with the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal): Promise<number> {
  const [first, ...others] = argv;
  const isHelpOf = first === "help" && others[0] !== undefined;
  const name = isHelpOf ? others[0] : first;
  const rest = isHelpOf ? ["--help"] : others;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    (name === undefined ? terminal.stderr : terminal.stdout).write(await usage(terminal));
    return name === undefined ? EXIT_USAGE : 0;
  }
  if (name === "--version" || name === "-v" || name === "-V") {
    terminal.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const load = COMMANDS.get(name);
  if (load === undefined) {
    terminal.stderr.write(await unknownCommand(name, terminal));
    return EXIT_USAGE;
  }
  const command = await load();
  if (asksForHelp(rest)) {
    terminal.stdout.write(commandHelp(command, terminal));
    return 0;
  }
  if (name !== "serve") await warnOfVariables(terminal);
  try {
    const args = parseArguments(rest, command.tables);
    requirePython(args.flags.get("--python"));
    return await command.run(args, terminal).finally(() => terminal.progress?.());
  } catch (error) {
    if (!(error instanceof ServeError) || error.reason === "invariant") throw error;
    // The ops that stand against a translation are lines of their own.
    const words = error.reason === "untranslatable" ? error.message : oneLine(error.message);
    terminal.stderr.write(fitLines(`sconce ${name}: ${words}\n`, terminal.widths?.stderr));
    if (!isUsage(error)) return 1;
    terminal.stderr.write(advice(command, error, widthOf(terminal)));
    return EXIT_USAGE;
  }
}

/** The server says the same in its log. */
async function warnOfVariables({ env, stderr, widths }: Terminal): Promise<void> {
  if (!Object.keys(env).some((name) => name.startsWith("SCONCE_"))) return;
  const { unknownVariables } = await import("../config/without-effect.ts");
  for (const warning of unknownVariables(env))
    stderr.write(fitLines(`warning: ${warning}\n`, widths?.stderr));
}

/** Behind `--` stand names, of files that may be called anything. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
}

async function unknownCommand(given: string, terminal: Terminal): Promise<string> {
  const head = `sconce: unknown command ${JSON.stringify(given.slice(0, 80))}`;
  const near = WORDS_OF_OTHERS.get(given.toLowerCase()) ?? nearestWord(given, COMMANDS.keys());
  if (near !== undefined) return `${head}; did you mean sconce ${near}?\n`;
  // Whoever forgets the command names a model first.
  if (/[/\\.]/.test(given)) return `${head}; did you mean sconce serve ${given.slice(0, 80)}?\n`;
  return `${head}\n\n${await usage(terminal)}`;
}

/** What the command takes: the options that a rejection is about, else how it is called where that was wrong. */
function advice(command: Command, { message, reason }: ServeError, width: number): string {
  const table = Object.assign({}, ...command.tables);
  const named = optionsNamedIn(message, table);
  if (named === undefined && reason !== "bad_arguments") return "";
  const help = named === undefined ? `  sconce ${command.name} ${command.usage}` : optionsHelp(named, width);
  return `\n${help}\n\nsconce ${command.name} --help lists every option.\n`;
}
