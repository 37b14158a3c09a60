import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";
import { envName, fileKey, flagName, type OptionTable, type OptionValues } from "./option.ts";
import { parseOption } from "./parse-option.ts";

/** Raw values by where they came from; earlier sources win. Keys are in that source's own spelling. */
export interface OptionSources {
  /** By flag name with dashes: `--port`. */
  readonly flags?: ReadonlyMap<string, string | boolean>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A parsed YAML mapping and its name for messages. */
  readonly file?: { readonly name: string; readonly values: Readonly<Record<string, unknown>> };
}

/**
 * Every option of a table from flags, environment, file, then default. Frozen. Throws `invalid_argument` for a value that does
 * not fit, and for keys of the file that are in no table of `alsoKnown` either, so that a typo never goes unnoticed.
 */
export function resolveOptions<Table extends OptionTable>(
  table: Table,
  sources: OptionSources,
  defaults: Partial<OptionValues<Table>> = {},
): OptionValues<Table> {
  const values: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(table)) {
    const flag = sources.flags?.get(flagName(name));
    const env = sources.env?.[envName(name)];
    const inFile = sources.file?.values[fileKey(name)];
    if (flag !== undefined) values[name] = parseOption(row, flag, { label: flagName(name) });
    else if (env !== undefined) values[name] = parseOption(row, env, { label: envName(name) });
    else if (inFile !== undefined) {
      values[name] = parseOption(row, inFile, { label: `${fileKey(name)} in ${sources.file?.name}` });
    } else values[name] = defaults[name] ?? row.default ?? undefined;
  }
  return Object.freeze(values) as OptionValues<Table>;
}

/** Throws `invalid_argument` when a file holds keys that no table knows, naming the nearest known key. */
export function rejectUnknownKeys(
  file: { readonly name: string; readonly values: Readonly<Record<string, unknown>> },
  known: readonly string[],
): void {
  const unknown = Object.keys(file.values).filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  const key = unknown[0]!.slice(0, 80);
  const near = nearestWord(key, known);
  const hint = near === undefined ? `; known keys: ${known.join(", ")}` : `; did you mean ${near}?`;
  throw new ServeError("invalid_argument", `${file.name}: unknown key ${JSON.stringify(key)}${hint}`, {
    reason: "bad_option",
  });
}
