import { newNumberLiteral, readNumber } from "@sconce/protocol";
import type { ParameterValue } from "../../base/infer-request.ts";
import { bad, type JsonObject } from "./fields.ts";
import type { Span } from "./json-scan.ts";

/**
 * Request parameters by name. Their values were captured as bytes, so that a 64-bit `sequence_id` keeps its digits. Throws
 * `invalid_argument` for what is neither text, number nor boolean.
 */
export function readParameters(
  body: Buffer,
  object: JsonObject | undefined,
  spans: readonly Span[],
): Map<string, ParameterValue> {
  const parameters = new Map<string, ParameterValue>();
  if (object === undefined) return parameters;
  for (const name of Object.keys(object)) {
    parameters.set(name, readScalar(body, spans[object[name] as number]!, `parameters.${name.slice(0, 64)}`));
  }
  return parameters;
}

function readScalar(body: Buffer, span: Span, field: string): ParameterValue {
  const text = body.toString("utf8", span.start, span.end).trim();
  const literal = newNumberLiteral();
  if (readNumber(body, span.start, span.end, literal) && literal.end === span.start + text.length) {
    if (text.length > 32) throw bad(field, "expected a number of at most 32 characters");
    const value = Number(text);
    if (!Number.isFinite(value)) throw bad(field, "the number is out of range");
    return literal.integer && !Number.isSafeInteger(value) ? BigInt(text) : value;
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
