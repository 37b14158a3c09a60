import { parseArgs } from "node:util";
import { ServeError } from "../base/errors.ts";
import { flagName, type OptionTable } from "../config/option.ts";

/** Options that have a letter of their own. */
const SHORT: Readonly<Record<string, string>> = { output: "o" };

export interface Arguments {
  readonly positionals: readonly string[];
  /** By flag name with dashes. */
  readonly flags: ReadonlyMap<string, string | boolean>;
}

/** Parses a command's arguments against option tables. Throws `invalid_argument` for an unknown flag or a missing value. */
export function parseArguments(argv: readonly string[], tables: readonly OptionTable[]): Arguments {
  const rows = tables.flatMap((table) => Object.entries(table));
  const options = Object.fromEntries(
    rows.map(([name, row]) => [
      flagName(name).slice(2),
      {
        type: row.kind === "flag" ? ("boolean" as const) : ("string" as const),
        multiple: row.kind === "texts",
        ...(SHORT[name] !== undefined && { short: SHORT[name] }),
      },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
      strict: true,
    });
    const flags = new Map<string, string | boolean>();
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === "string" || typeof value === "boolean") flags.set(`--${name}`, value);
      // A list may be given as one text or by repeating the flag.
      else if (Array.isArray(value)) flags.set(`--${name}`, value.join(","));
    }
    return { positionals, flags };
  } catch (error) {
    const text = error instanceof Error ? error.message.split(". To specify")[0]! : "bad arguments";
    throw new ServeError("invalid_argument", `${text}. See sconce --help`, { reason: "bad_arguments" });
  }
}
