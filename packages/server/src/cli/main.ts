import { VERSION } from "../app/version.ts";
import { type ErrorReason, ServeError } from "../base/errors.ts";
import { oneLine, printable } from "../base/printable.ts";
import { optionsHelp } from "../config/option-docs.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";

/** In the order of the help. Each is loaded when it is used: a server starts sooner without what translates models. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["serve", async () => (await import("./serve.ts")).serveCommand],
  ["inspect", async () => (await import("./inspect.ts")).inspectCommand],
  ["predict", async () => (await import("./predict.ts")).predictCommand],
  ["convert", async () => (await import("./convert.ts")).convertCommand],
  ["bench", async () => (await import("./bench/bench.ts")).benchCommand],
  ["quantize", async () => (await import("./quantize.ts")).quantizeCommand],
]);

const EXIT_USAGE = 2;
/** What another command line would help against. */
const USAGE_REASONS: ReadonlySet<ErrorReason | undefined> = new Set([
  "bad_arguments",
  "bad_option",
  "missing_path",
]);

async function usage(): Promise<string> {
  const commands = await Promise.all(Array.from(COMMANDS.values(), (load) => load()));
  const lines = commands.map(
    (command) => `  sconce ${command.name} ${command.usage}\n      ${command.summary}`,
  );
  return `Sconce ${VERSION} serves PyTorch models over REST and gRPC.\n\n${lines.join("\n")}\n\nsconce COMMAND --help lists a command's options.\n`;
}

function commandHelp(command: Command): string {
  const options = command.tables.map((table) => optionsHelp(table)).join("\n");
  return `sconce ${command.name} ${command.usage}\n\n${command.summary}\n\nOptions:\n${options}\n`;
}

/** The terminal of this process. Names and texts of models pass through here: none of them steers it. */
export const processTerminal: Terminal = {
  stdout: { write: (text) => process.stdout.write(printable(text)) },
  stderr: { write: (text) => process.stderr.write(printable(text)) },
  env: process.env,
  isInteractive: process.stdin.isTTY === true || process.stdout.isTTY === true,
  async readStdin() {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  },
};

/** Runs the `sconce` program; resolves with the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    terminal.stdout.write(await usage());
    return name === undefined ? EXIT_USAGE : 0;
  }
  if (name === "--version" || name === "-v") {
    terminal.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const load = COMMANDS.get(name);
  if (load === undefined) {
    terminal.stderr.write(`sconce: unknown command ${JSON.stringify(name.slice(0, 80))}\n\n${await usage()}`);
    return EXIT_USAGE;
  }
  const command = await load();
  if (rest.includes("--help") || rest.includes("-h")) {
    terminal.stdout.write(commandHelp(command));
    return 0;
  }
  try {
    return await command.run(parseArguments(rest, command.tables), terminal);
  } catch (error) {
    if (!(error instanceof ServeError) || error.reason === "invariant") throw error;
    terminal.stderr.write(`sconce ${name}: ${oneLine(error.message)}\n`);
    return USAGE_REASONS.has(error.reason) ? EXIT_USAGE : 1;
  }
}
