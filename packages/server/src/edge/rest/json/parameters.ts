import { MAX_NUMBER_CHARS, newNumberLiteral, readNumber } from "@sconce/protocol";
import type { ParameterValue } from "../../../base/infer-request.ts";
import { bad, type JsonObject } from "./fields.ts";
import type { Span } from "./json-scan.ts";

/** Parameters of a request that has none. Nobody adds to it. */
export const NONE: Map<string, ParameterValue> = new Map();

/**
 * Request parameters by name. Their values were captured as bytes, so that a 64-bit `sequence_id` keeps its digits. Throws
 * `invalid_argument` for what is neither text, number nor boolean.
 */
export function readParameters(
  body: Buffer,
  object: JsonObject | undefined,
  spans: readonly Span[],
): Map<string, ParameterValue> {
  if (object === undefined) return NONE;
  const parameters = new Map<string, ParameterValue>();
  for (const name of Object.keys(object)) {
    const span = spans[object[name] as number]!;
    if (!isNull(body, span)) parameters.set(name, readScalar(body, span, `parameters.${name.slice(0, 64)}`));
  }
  return parameters;
}

const NULL = "null";

/** Whether a captured value is null, and so as good as left out. */
export function isNull(body: Buffer, { start, end }: Span): boolean {
  if (body.toString("latin1", start, Math.min(end, start + NULL.length)) !== NULL) return false;
  return end - start <= MAX_VALUE_BYTES && body.toString("latin1", start, end).trimEnd() === NULL;
}

/** Bytes of a parameter's JSON, spaces behind it included: it is read in one go. */
const MAX_VALUE_BYTES = 64 * 1024;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

function readScalar(body: Buffer, span: Span, field: string): ParameterValue {
  if (span.end - span.start > MAX_VALUE_BYTES) throw bad(field, `longer than ${MAX_VALUE_BYTES} bytes`);
  const text = body.toString("utf8", span.start, span.end).trim();
  const literal = newNumberLiteral();
  const isNumber = readNumber(body, span.start, span.end, literal);
  if (isNumber && literal.end - span.start > MAX_NUMBER_CHARS) {
    throw bad(field, `expected a number of at most ${MAX_NUMBER_CHARS} characters`);
  }
  if (isNumber && literal.end === span.start + text.length) {
    const value = Number(text);
    if (!Number.isFinite(value)) throw bad(field, "the number is out of range");
    if (!literal.integer || Number.isSafeInteger(value)) return value;
    const exact = BigInt(text);
    if (exact < INT64_MIN || exact > UINT64_MAX) throw bad(field, "the number is out of range");
    return exact;
  }
  if (text === "true" || text === "false") return text === "true";
  if (text.startsWith('"')) {
    try {
      return JSON.parse(text) as string;
    } catch {
      throw bad(field, "not a valid JSON string");
    }
  }
  throw bad(field, "expected a string, a number or a boolean");
}
