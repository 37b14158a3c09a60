import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";
import type { OptionRow } from "./option.ts";
import { parseYaml } from "./yaml-file.ts";

const DURATION_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Of a value that is parsed here, in the server's process. */
const MAX_LIST_ITEMS = 10_000;
const MAX_MAPPING_CHARACTERS = 2 ** 14;
const BYTE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Where a value came from, in the user's words: `--port`, `SCONCE_PORT`, `port in sconce.yaml`. */
export interface OptionSource {
  readonly label: string;
}

function reject(source: OptionSource, expected: string, value: unknown, hint = ""): never {
  const shown =
    typeof value === "string"
      ? JSON.stringify(value.slice(0, 80))
      : typeof value === "object"
        ? "a list or a mapping"
        : String(value);
  throw new ServeError("invalid_argument", `${source.label}: expected ${expected}, got ${shown}${hint}`, {
    reason: "bad_option",
  });
}

function rejectChoice(source: OptionSource, choices: readonly string[], raw: unknown): never {
  const near = typeof raw === "string" ? nearestWord(raw, choices) : undefined;
  return reject(source, `one of ${choices.join(", ")}`, raw, near && `; did you mean ${near}?`);
}

function withUnit(raw: unknown, units: Readonly<Record<string, number>>): number {
  if (typeof raw === "number") return raw;
  if (typeof raw !== "string") return Number.NaN;
  const match = /^(\d{1,15}(?:\.\d{1,9})?)\s{0,3}([a-zA-Z]{0,3})$/.exec(raw.trim());
  if (match === null) return Number.NaN;
  const unit = match[2]!.toLowerCase();
  return Number(match[1]) * (unit === "" ? 1 : (units[unit] ?? Number.NaN));
}

function inRange(value: number, row: { min: number; max: number }): boolean {
  return value >= row.min && value <= row.max;
}

function parseList<T>(raw: unknown, parseItem: (item: unknown) => T | undefined): readonly T[] | undefined {
  const items = Array.isArray(raw)
    ? raw
    : typeof raw === "string"
      ? raw.split(",").filter((s) => s.trim())
      : // One number is a list of one.
        typeof raw === "number"
        ? [raw]
        : undefined;
  if (items !== undefined && items.length > MAX_LIST_ITEMS) return undefined;
  const parsed = items?.map((item) => parseItem(typeof item === "string" ? item.trim() : item));
  return parsed?.every((item) => item !== undefined) ? (parsed as readonly T[]) : undefined;
}

/** `{ a: "x", b: "y" }`; as one text the same in YAML or JSON, or `a=x; b=y`. */
function parseMapping(raw: unknown): Readonly<Record<string, string>> | undefined {
  const values = typeof raw === "string" ? mappingOfText(raw) : raw;
  if (typeof values !== "object" || values === null || Array.isArray(values)) return undefined;
  const entries = Object.entries(values);
  const isComplete = entries.length > 0 && entries.every(([, value]) => isScalar(value));
  return isComplete ? Object.fromEntries(entries.map(([name, value]) => [name, String(value)])) : undefined;
}

/** A number or a truth of YAML stands for its text. */
function isScalar(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function mappingOfText(text: string): unknown {
  if (text.length > MAX_MAPPING_CHARACTERS) return undefined;
  const parts = text.split(";").filter((part) => part.trim() !== "");
  const pairs = parts.map((part) => /^([^=:{}"']+)=(.*)$/s.exec(part));
  if (!pairs.includes(null)) {
    return Object.fromEntries(pairs.map((pair) => [pair![1]!.trim(), pair![2]!.trim()]));
  }
  try {
    return parseYaml(text, "text").values;
  } catch {
    // The caller's rejection says what is expected; YAML's own words would not name the option.
    return undefined;
  }
}

function parseFlag(raw: unknown): boolean | undefined {
  if (typeof raw === "boolean") return raw;
  if (raw === "true" || raw === "1" || raw === "") return true;
  return raw === "false" || raw === "0" ? false : undefined;
}

function parseCount(raw: unknown): number {
  if (typeof raw === "number") return raw;
  return typeof raw === "string" && /^-?\d{1,15}$/.test(raw.trim()) ? Number(raw) : Number.NaN;
}

/**
 * Turns a raw value (a string from a flag or the environment, anything from YAML) into the option's value.
 * Throws `invalid_argument` naming the source, what was expected and what came.
 */
export function parseOption(row: OptionRow, raw: unknown, source: OptionSource): unknown {
  switch (row.kind) {
    case "text":
      return typeof raw === "string" ? raw : reject(source, "text", raw);
    case "choice":
      return typeof raw === "string" && row.choices.includes(raw)
        ? raw
        : rejectChoice(source, row.choices, raw);
    case "flag":
      return parseFlag(raw) ?? reject(source, "true or false", raw);
    case "integer":
    case "number": {
      const value = row.kind === "integer" ? parseCount(raw) : Number(raw);
      const isWhole = row.kind === "number" || Number.isInteger(value);
      const kind = row.kind === "integer" ? "a whole number" : "a number";
      return isWhole && inRange(value, row)
        ? value
        : reject(source, `${kind} from ${row.min} to ${row.max}`, raw);
    }
    case "count-or-auto": {
      if (raw === "auto") return raw;
      const value = parseCount(raw);
      return Number.isInteger(value) && inRange(value, row)
        ? value
        : reject(source, `auto, or a whole number from ${row.min} to ${row.max}`, raw);
    }
    case "duration": {
      const value = withUnit(raw, DURATION_MS);
      return inRange(value, row)
        ? value
        : reject(source, `a duration such as 250us, 5ms or 30s (from ${row.min} to ${row.max} ms)`, raw);
    }
    case "bytes": {
      const value = withUnit(raw, BYTE_UNITS);
      return Number.isInteger(value) && inRange(value, row)
        ? value
        : reject(source, `a size such as 64MiB or 2GB (from ${row.min} to ${row.max} bytes)`, raw);
    }
    case "mapping":
      return parseMapping(raw) ?? reject(source, `names and texts, such as ${row.example}`, raw);
    case "integers":
      return (
        parseList(raw, (item) => (Number.isInteger(parseCount(item)) ? parseCount(item) : undefined)) ??
        reject(source, "whole numbers separated by commas", raw)
      );
    case "texts":
      return (
        parseList(raw, (item) => (typeof item === "string" ? item : undefined)) ??
        reject(source, "texts separated by commas", raw)
      );
  }
}
