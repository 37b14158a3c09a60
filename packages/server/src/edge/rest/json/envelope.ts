import { isUtf8 } from "node:buffer";
import { type ReasonOf, ServeError } from "../../../base/errors.ts";
import type { Steps, Work } from "../../time-slicer.ts";
import { JsonScanner, type Pattern, type ScanLimits, type Span } from "./json-scan.ts";

/** A JSON object whose captured values are still bytes: in their place stands their index in `spans`. */
export interface Envelope {
  readonly value: Readonly<Record<string, unknown>>;
  readonly spans: readonly Span[];
}

interface EnvelopeText {
  readonly span: Span;
  readonly pattern: Pattern;
  /** In words. */
  readonly expected: string;
}

/**
 * Parses a JSON object, leaving the values that `pattern` captures as bytes: tensor data never goes through `JSON.parse`. Throws
 * `invalid_argument` for anything that is not one well-formed, unambiguous JSON object in UTF-8; `expected` says what should have come.
 */
export function* readEnvelope(
  body: Buffer,
  { span: whole, pattern, expected }: EnvelopeText,
  limits: ScanLimits,
): Work<Envelope> {
  const span = body[whole.start] === BOM[0] ? afterMark(body, whole) : whole;
  if (span.end === span.start) throw bad(`the body is empty; expected ${expected}`, "empty_body");
  yield new Utf8Check(body, span);
  const scanner = new JsonScanner(body, span, { pattern, limits });
  yield scanner;
  const { spans } = scanner;
  const value = parse(cut(body, span, spans));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad(`the body is ${nameOf(value)}; expected ${expected}`, "bad_json");
  }
  return { value: value as Record<string, unknown>, spans };
}

/** Bytes with which Windows' editors and shells begin a text in UTF-8; a reader may pass over them (RFC 8259 §8.1). */
const BOM = [0xef, 0xbb, 0xbf] as const;

function afterMark(body: Buffer, span: Span): Span {
  const isMarked =
    span.end - span.start >= BOM.length && BOM.every((byte, i) => body[span.start + i] === byte);
  return isMarked ? { start: span.start + BOM.length, end: span.end } : span;
}

/** How much more UTF-8 is checked than JSON is read in the same time. */
const UTF8_SPEED = 16;

class Utf8Check implements Steps {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, span: Span) {
    this.#bytes = bytes;
    this.#at = span.start;
    this.#end = span.end;
  }

  step(amount: number): boolean {
    let to = Math.min(this.#end, this.#at + amount * UTF8_SPEED);
    // A character is not divided; more than three bytes that continue one are none, and found out as they are.
    for (let i = 0; i < 3 && to < this.#end && (this.#bytes[to]! & 0xc0) === 0x80; i++) to--;
    if (!isUtf8(this.#bytes.subarray(this.#at, to))) throw bad("the body is not valid UTF-8", "bad_utf8");
    this.#at = to;
    return to === this.#end;
  }
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

function bad(message: string, reason: ReasonOf<"invalid_argument">): ServeError {
  return new ServeError("invalid_argument", message, { reason });
}
