import { ServeError } from "../../base/errors.ts";
import type { Parameters, ParameterValue } from "../../base/infer-request.ts";

/** What a request says of the sequence it belongs to, as Triton's clients do. */
export interface SequenceFlags {
  /** Undefined: it names none (nor does 0, nor an empty text). Numbers and texts are different ids. */
  readonly id: string | undefined;
  readonly isStart: boolean;
  readonly isEnd: boolean;
}

const MAX_ID_CHARACTERS = 128;
const MAX_NUMBER = 2n ** 64n - 1n;

/** Reads `sequence_id`, `sequence_start` and `sequence_end`. Throws `invalid_argument`/`bad_sequence` naming the parameter. */
export function sequenceFlags(parameters: Parameters): SequenceFlags {
  return {
    id: idOf(parameters.get("sequence_id")),
    isStart: flagOf("sequence_start", parameters),
    isEnd: flagOf("sequence_end", parameters),
  };
}

/** An id as people wrote it. */
export function idText(id: string): string {
  return id.startsWith("#") ? id.slice(1) : JSON.stringify(id.slice(1, 65));
}

function idOf(value: ParameterValue | undefined): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value === "string") {
    if (value.length <= MAX_ID_CHARACTERS) return `"${value}`;
    throw bad("sequence_id", `expected at most ${MAX_ID_CHARACTERS} characters, got ${value.length}`);
  }
  const isWhole = typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value));
  if (!isWhole || value < 0 || BigInt(value) > MAX_NUMBER)
    throw bad("sequence_id", "expected a whole number from 1 to 2⁶⁴ − 1, or a text");
  return BigInt(value) === 0n ? undefined : `#${value}`;
}

function flagOf(name: string, parameters: Parameters): boolean {
  const value = parameters.get(name);
  if (value === undefined || typeof value === "boolean") return value === true;
  throw bad(name, "expected true or false");
}

function bad(name: string, what: string): ServeError {
  return new ServeError("invalid_argument", `parameters.${name}: ${what}`, { reason: "bad_sequence" });
}
