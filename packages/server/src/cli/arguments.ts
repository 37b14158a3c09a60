import { parseArgs } from "node:util";
import { nearestWord } from "../base/nearest-word.ts";
import { flagName, type OptionRow, type OptionTable } from "../config/option.ts";
import { usageError } from "./usage-error.ts";

/** Options that have a letter of their own. */
const SHORT: Readonly<Record<string, string>> = { output: "o" };

export interface Arguments {
  readonly positionals: readonly string[];
  /** By flag name with dashes. */
  readonly flags: ReadonlyMap<string, string | boolean>;
}

/**
 * Parses a command's arguments against option tables. Throws `bad_arguments` for an unknown option, with the nearest known one, and for a
 * missing value.
 */
export function parseArguments(argv: readonly string[], tables: readonly OptionTable[]): Arguments {
  const rows = new Map(
    tables.flatMap((table) => Object.entries(table).map(([name, row]) => [flagName(name), row] as const)),
  );
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    options: nodeOptions(tables),
    allowPositionals: true,
    // What Node says of a mistake does not know what was meant.
    strict: false,
    tokens: true,
  });
  const flags = new Map<string, string | boolean>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const flag = `--${token.name}`;
    const row = rows.get(flag);
    if (row === undefined) throw unknownOption(token.rawName, rows.keys());
    const value = optionValue(row, token);
    const earlier = flags.get(flag);
    // A list may be given as one text or by repeating the flag.
    flags.set(flag, row.kind === "texts" && earlier !== undefined ? `${earlier},${value}` : value);
  }
  return { positionals, flags };
}

function nodeOptions(
  tables: readonly OptionTable[],
): Record<string, { readonly type: "boolean" | "string"; readonly short?: string }> {
  const rows = tables.flatMap((table) => Object.entries(table));
  return Object.fromEntries(
    rows.map(([name, row]) => [
      flagName(name).slice(2),
      {
        type: row.kind === "flag" ? ("boolean" as const) : ("string" as const),
        ...(SHORT[name] !== undefined && { short: SHORT[name] }),
      },
    ]),
  );
}

function unknownOption(given: string, known: Iterable<string>): Error {
  const near = nearestWord(given, known);
  return usageError(
    `unknown option ${given.slice(0, 80)}${near === undefined ? "" : `; did you mean ${near}?`}`,
  );
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function optionValue(row: OptionRow, { rawName, value, inlineValue }: OptionToken): string | boolean {
  if (row.kind === "flag") return value ?? true;
  if (value === undefined) throw usageError(`${rawName}: a value is missing after it`);
  if (inlineValue === true || !/^-[^\d.]/.test(value)) return value;
  throw usageError(
    `${rawName}: a value is missing before ${value.slice(0, 80)}; a value that begins with a dash is written ${rawName}=VALUE`,
  );
}
