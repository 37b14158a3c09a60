import { ServeError } from "../base/errors.ts";
import type { OptionValues } from "../config/option.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import { type KeyRecord, makeKey } from "../gate/api-keys.ts";
import { SCOPES, type Scope } from "../gate/caller.ts";
import type { Command, Terminal } from "./command.ts";
import { readKeys, writeKeys } from "./key-file.ts";
import { readUsage, usageText } from "./key-usage.ts";
import { KEYS_OPTIONS } from "./keys-options.ts";
import { requireModelFile } from "./model-path.ts";
import { ACCESS_OPTIONS, serverAccess } from "./server-access.ts";
import { serverUrl } from "./server-url.ts";
import { tableText } from "./table-text.ts";
import { usageError } from "./usage-error.ts";

type KeysValues = OptionValues<typeof KEYS_OPTIONS>;

interface FileTask {
  readonly path: string;
  readonly options: KeysValues;
  readonly terminal: Terminal;
}

const TASKS: Readonly<Record<string, (task: FileTask) => void | Promise<void>>> = { add, list, remove };
const DAY_MS = 86_400_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

export const keysCommand: Command = {
  name: "keys",
  usage: "add|list|remove --api-keys FILE, or usage --url URL",
  summary:
    "Makes, lists and removes the API keys of a server, which takes changes by itself while it runs; usage shows what each key asked of a running server.",
  tables: [KEYS_OPTIONS, ACCESS_OPTIONS],
  async run(args, terminal) {
    const [name, ...others] = args.positionals;
    const run = name === undefined || others.length > 0 ? undefined : TASKS[name];
    const isUsage = name === "usage" && others.length === 0;
    if (run === undefined && !isUsage) throw usageError("expected one of add, list, remove and usage");
    const options = resolveOptions(KEYS_OPTIONS, {
      flags: args.flags,
      env: { SCONCE_API_KEYS: terminal.env["SCONCE_API_KEYS"] },
    });
    if (run === undefined) {
      const tenants = await readUsage(serverUrl(options.url), serverAccess(args, terminal));
      const text = options.json ? `${JSON.stringify(tenants, null, 2)}\n` : usageText(tenants);
      terminal.stdout.write(text);
      return 0;
    }
    if (options.apiKeys === undefined) throw usageError("--api-keys FILE is missing");
    await run({ path: options.apiKeys, options, terminal });
    return 0;
  },
};

async function add({ path, options, terminal }: FileTask): Promise<void> {
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
  await writeKeys(path, [...keys, record]);
  if (options.json) terminal.stdout.write(`${JSON.stringify({ name, key })}\n`);
  else {
    terminal.stdout.write(`${key}\n`);
    terminal.stderr.write(`This is the only time that the key is shown; ${path} holds its hash.\n`);
  }
}

function list({ path, options, terminal }: FileTask): void {
  requireModelFile(path);
  const keys = readKeys(path);
  const shown = keys.map(({ sha256: _hash, ...rest }) => rest);
  if (options.json) {
    terminal.stdout.write(`${JSON.stringify(shown)}\n`);
    return;
  }
  const rows = [["NAME", "SCOPES", "MODELS", "RATE", "EXPIRES"], ...keys.map(rowOf)];
  terminal.stdout.write(tableText(rows));
}

function rowOf({ name, scopes, models, rate, expires }: KeyRecord): string[] {
  return [name, scopes.join(","), models.join(","), rate ?? "-", expires ?? "never"];
}

async function remove({ path, options, terminal }: FileTask): Promise<void> {
  const name = nameOf(options);
  requireModelFile(path);
  const keys = readKeys(path);
  const kept = keys.filter((key) => key.name !== name);
  if (kept.length === keys.length) throw badOption(`--name: there is no key ${name} in ${path}`);
  await writeKeys(path, kept);
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
