import { ServeError } from "../base/errors.ts";
import type { OptionValues } from "../config/option.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import { type KeyRecord, makeKey } from "../gate/api-keys.ts";
import { SCOPES, type Scope } from "../gate/caller.ts";
import type { Command, Terminal } from "./command.ts";
import { readKeys, writeKeys } from "./key-file.ts";
import { KEYS_OPTIONS } from "./keys-options.ts";
import { requireModelFile } from "./model-path.ts";
import { usageError } from "./usage-error.ts";

type KeysValues = OptionValues<typeof KEYS_OPTIONS>;

interface Task {
  readonly path: string;
  readonly options: KeysValues;
  readonly terminal: Terminal;
}

const TASKS: Readonly<Record<string, (task: Task) => void>> = { add, list, remove };
const DAY_MS = 86_400_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

export const keysCommand: Command = {
  name: "keys",
  usage: "add|list|remove --api-keys FILE",
  summary: "Makes, lists and removes the API keys of a server. A running server takes changes by itself.",
  tables: [KEYS_OPTIONS],
  async run(args, terminal) {
    const [name, ...others] = args.positionals;
    const run = name === undefined || others.length > 0 ? undefined : TASKS[name];
    if (run === undefined) throw usageError("expected one of add, list and remove");
    const options = resolveOptions(KEYS_OPTIONS, {
      flags: args.flags,
      env: { SCONCE_API_KEYS: terminal.env["SCONCE_API_KEYS"] },
    });
    if (options.apiKeys === undefined) throw usageError("--api-keys FILE is missing");
    run({ path: options.apiKeys, options, terminal });
    return 0;
  },
};

function add({ path, options, terminal }: Task): void {
  const name = nameOf(options);
  const keys = readKeys(path);
  if (keys.some((key) => key.name === name))
    throw badOption(`--name: there is a key ${name} already; remove it first`);
  const { rate, expires } = options;
  const { key, record } = makeKey({
    name,
    models: options.models,
    scopes: scopesOf(options.scope),
    ...(rate !== undefined && { rate }),
    ...(expires !== undefined && { expires: timeOf(expires) }),
    created: new Date().toISOString(),
  });
  writeKeys(path, [...keys, record]);
  if (options.json) terminal.stdout.write(`${JSON.stringify({ name, key })}\n`);
  else {
    terminal.stdout.write(`${key}\n`);
    terminal.stderr.write(`This is the only time that the key is shown; ${path} holds its hash.\n`);
  }
}

function list({ path, options, terminal }: Task): void {
  requireModelFile(path);
  const keys = readKeys(path);
  const shown = keys.map(({ sha256: _hash, ...rest }) => rest);
  if (options.json) {
    terminal.stdout.write(`${JSON.stringify(shown)}\n`);
    return;
  }
  const rows = [["NAME", "SCOPES", "MODELS", "RATE", "EXPIRES"], ...keys.map(rowOf)];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    terminal.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()}\n`,
    );
  }
}

function rowOf({ name, scopes, models, rate, expires }: KeyRecord): string[] {
  return [name, scopes.join(","), models.join(","), rate ?? "-", expires ?? "never"];
}

function remove({ path, options, terminal }: Task): void {
  const name = nameOf(options);
  requireModelFile(path);
  const keys = readKeys(path);
  const kept = keys.filter((key) => key.name !== name);
  if (kept.length === keys.length) throw badOption(`--name: there is no key ${name} in ${path}`);
  writeKeys(path, kept);
  terminal.stderr.write(`Removed. A running server stops taking it within --reload-interval.\n`);
}

function nameOf({ name }: KeysValues): string {
  if (name === undefined) throw usageError("--name NAME is missing");
  if (!NAME.test(name)) throw badOption("--name: expected up to 64 letters, digits and . _ @ -");
  return name;
}

function scopesOf(words: readonly string[]): Scope[] {
  return words.map((word) => {
    const scope = SCOPES.find((known) => known === word);
    if (scope === undefined)
      throw badOption(`--scope: expected ${SCOPES.join(", ")}, got ${JSON.stringify(word.slice(0, 80))}`);
    return scope;
  });
}

function timeOf(text: string): string {
  const [, days] = /^([0-9]{1,5})d$/.exec(text) ?? [];
  const ms = days === undefined ? Date.parse(text) : Date.now() + Number(days) * DAY_MS;
  if (Number.isNaN(ms))
    throw badOption("--expires: expected a time such as 2027-01-31T00:00:00Z, or days such as 90d");
  return new Date(ms).toISOString();
}

function badOption(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_option" });
}
