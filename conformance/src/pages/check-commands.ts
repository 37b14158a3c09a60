import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS, parseArguments, resolveOptions } from "../internals/pages.ts";

/** What a package's file says that commands name. */
interface Package {
  readonly name: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const PROGRAM = /^(?:\$ )?(?:\w+=\S+ )?(?:npx )?(sconce|npm|docker|kubectl|helm)\b/;

/**
 * Reads the commands of a block without running them: options and their values are ones that `sconce` takes, scripts, packages and files of the
 * project exist. Other lines are what commands print. Throws where one would be refused, and where the block has none.
 */
export async function checkCommands(text: string, root: string): Promise<void> {
  const lines = text.replaceAll(/\\\n\s*/g, " ").split("\n");
  const commands = lines.filter((line) => PROGRAM.test(line)).flatMap((line) => line.split("&&"));
  assert.ok(commands.length > 0, "the block has no command that could be checked");
  for (const command of commands) {
    const words = wordsOf(command.replace(/^\$ /, ""));
    const start = words.findIndex((word) => !/^\w+=/.test(word) && word !== "npx");
    const [program, ...rest] = words.slice(start);
    if (program === "sconce") await checkSconce(rest);
    else if (program === "npm") checkNpm(rest, root);
    else checkOfOthers(rest, root);
  }
}

/** As `sconce` reads its arguments, up to what it would do. */
export async function checkSconce([name = "", ...rest]: readonly string[]): Promise<void> {
  const command = await COMMANDS.get(name)?.();
  assert.ok(command !== undefined, `there is no command ${name}`);
  const { flags } = parseArguments(rest, command.tables);
  for (const table of command.tables) resolveOptions(table, { flags });
}

function checkNpm(words: readonly string[], root: string): void {
  const [verb, name = ""] = words.filter((word) => !word.startsWith("-"));
  const read = (path: string): Package => JSON.parse(readFileSync(join(root, path), "utf8")) as Package;
  const published = read("packages/server/package.json");
  const { scripts = {} } = read("package.json");
  const installed = [published.name, ...Object.keys(published.peerDependencies ?? {})];
  if (verb === "run") assert.ok(name in scripts, `there is no script ${name}`);
  else if (verb === "install") assert.ok(installed.includes(name), `the server loads no package ${name}`);
  else assert.ok(verb === "ci" || verb! in scripts, `npm ${verb}`);
}

/** Files of the project that Docker, kubectl and Helm are given, and what a container is to run. */
function checkOfOthers(words: readonly string[], root: string): void {
  for (const word of words) {
    if (word.startsWith("deploy/")) assert.ok(existsSync(join(root, word)), `there is no ${word}`);
  }
}

/** As a shell without anything to expand cuts a line. */
function wordsOf(command: string): string[] {
  const bare = command.replace(/\s+#.*$/, "").trim();
  return Array.from(bare.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g), ([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, "$1$2"),
  );
}
