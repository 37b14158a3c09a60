import { isUtf8 } from "node:buffer";
import { ServeError } from "../../base/errors.ts";
import { JsonScanner, type Pattern, type ScanLimits, type Span } from "./json-scan.ts";

/** A JSON object whose captured values are still bytes: in their place stands their index in `spans`. */
export interface Envelope {
  readonly value: Readonly<Record<string, unknown>>;
  readonly spans: readonly Span[];
}

/**
 * Parses a JSON object, leaving the values that `pattern` captures as bytes: tensor data never goes through `JSON.parse`. Throws
 * `invalid_argument` for anything that is not one well-formed, unambiguous JSON object in UTF-8; `expected` says what should have come.
 */
export function readEnvelope(
  body: Buffer,
  { span, pattern, expected }: { readonly span: Span; readonly pattern: Pattern; readonly expected: string },
  limits: ScanLimits,
): Envelope {
  if (span.end === span.start) throw bad(`the body is empty; expected ${expected}`, "empty_body");
  if (!isUtf8(body.subarray(span.start, span.end))) throw bad("the body is not valid UTF-8", "bad_utf8");
  const spans = new JsonScanner(body, span, limits).scan(pattern);
  const value = parse(cut(body, span, spans));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad(`the body is ${nameOf(value)}; expected ${expected}`, "bad_json");
  }
  return { value: value as Record<string, unknown>, spans };
}

/** The text with each span replaced by its index. */
function cut(body: Buffer, span: Span, spans: readonly Span[]): string {
  let text = "";
  let from = span.start;
  for (let i = 0; i < spans.length; i++) {
    text += body.toString("utf8", from, spans[i]!.start) + i;
    from = spans[i]!.end;
  }
  return text + body.toString("utf8", from, span.end);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    // The scanner checked the structure, so only the inside of a string can be wrong.
    throw new ServeError("invalid_argument", "the JSON text has an invalid escape in a string", {
      reason: "bad_json",
      cause,
    });
  }
}

/** Names the kind of a parsed value, for messages. */
export function nameOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return typeof value === "string" ? "a string" : `a ${typeof value}`;
}

function bad(message: string, reason: string): ServeError {
  return new ServeError("invalid_argument", message, { reason });
}
