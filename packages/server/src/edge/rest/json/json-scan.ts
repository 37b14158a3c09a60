import { MAX_NUMBER_CHARS, newNumberLiteral, readNumber } from "@sconce/protocol";
import { type ReasonOf, ServeError } from "../../../base/errors.ts";
import type { Steps } from "../../time-slicer.ts";

/** Which values of a document to leave as bytes: a tree that follows its keys and items. */
export interface Pattern {
  readonly capture?: true;
  readonly keys?: Readonly<Record<string, Pattern>>;
  /** For keys not named in `keys`. */
  readonly anyKey?: Pattern;
  readonly items?: Pattern;
  /** A list of tensors: of more than `maxTensors` the rest is not read. */
  readonly isTensors?: true;
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ScanLimits {
  readonly maxJsonDepth: number;
  /** Bytes outside captured values. */
  readonly maxEnvelopeBytes: number;
  readonly maxTensors: number;
}

export interface ScanOptions {
  readonly pattern: Pattern;
  readonly limits: ScanLimits;
}

/** An array or object that is open. */
interface Frame {
  readonly isObject: boolean;
  readonly pattern: Pattern | undefined;
  /** Start and end of each key seen, in pairs; replaced by `names` when there are many or one has escapes. */
  readonly keys: number[];
  names: Set<string> | undefined;
  /** Values that came before the present one. */
  count: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

// Bytes that mean something while a captured value is skipped.
const PLAIN = 0;
const OPENS = 1;
const CLOSES = 2;
const STRING = 3;
const SEPARATES = 4;
const CLASS = new Uint8Array(256);
CLASS[OPEN_BRACE] = CLASS[OPEN_BRACKET] = OPENS;
CLASS[CLOSE_BRACE] = CLASS[CLOSE_BRACKET] = CLOSES;
CLASS[QUOTE] = STRING;
CLASS[COMMA] = SEPARATES;

/** What became of a value: a container with contents was opened, it was passed, or the step ended inside of it. */
const OPENED = 0;
const PASSED = 1;
const PAUSED = 2;
type Outcome = typeof OPENED | typeof PASSED | typeof PAUSED;

/** Objects with more keys than this look for duplicates in a set. */
const MANY_KEYS = 16;

/** What a key costs in bytes of plain text that is skipped: steps through many keys must not take longer than others. */
const KEY_COST = 64;

/**
 * Walks a JSON text once, without recursion, before anybody parses it: finds the values that `pattern` captures, and rejects what would
 * be dangerous or ambiguous to parse — nesting past the limit, duplicate keys, endless numbers — and broken structure. The
 * inside of captured values is only measured; decoding checks them. Throws `invalid_argument` with the byte position.
 */
export class JsonScanner implements Steps {
  readonly spans: Span[] = [];
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #limits: ScanLimits;
  readonly #literal = newNumberLiteral();
  readonly #frames: Frame[] = [];
  readonly #start: number;
  #at: number;
  /** Where the present step ends. */
  #until = 0;
  /** What the value that comes next may hold. */
  #next: Pattern | undefined;
  /** Where the value that is being captured begins; −1: none is. */
  #captureStart = -1;
  /** Arrays and objects open inside of it. */
  #captureDepth = 0;
  /** Where the contents of the string begin that a step ended in; −1: it did not. */
  #stringStart = -1;
  #captured = 0;

  constructor(bytes: Buffer, span: Span, { pattern, limits }: ScanOptions) {
    this.#bytes = bytes;
    this.#start = span.start;
    this.#at = span.start;
    this.#end = span.end;
    this.#next = pattern;
    this.#limits = limits;
  }

  /** Walks on for about `bytes` bytes; true when the text is walked through and `spans` complete. */
  step(bytes: number): boolean {
    this.#until = Math.min(this.#end, this.#at + bytes);
    for (;;) {
      const outcome = this.#captureStart < 0 ? this.#value() : this.#skipOn();
      if (outcome === PAUSED) return false;
      if (this.#at - this.#start - this.#captured > this.#limits.maxEnvelopeBytes) throw this.#tooMuch();
      const frame = outcome === OPENED ? this.#frames.at(-1)! : this.#afterValue();
      if (frame === undefined) return true;
      this.#next = frame.isObject ? this.#key(frame) : frame.pattern?.items;
      if (this.#at > this.#until) return false;
    }
  }

  /** Steps over a value that is complete, opens a container that has contents, or begins to capture. */
  #value(): Outcome {
    this.#skipSpace();
    const pattern = this.#next;
    if (pattern?.capture === true) {
      this.#captureStart = this.#at;
      this.#captureDepth = 0;
      return this.#skipOn();
    }
    const c = this.#peek();
    if (c === OPEN_BRACE || c === OPEN_BRACKET)
      return this.#open(c === OPEN_BRACE, pattern) ? OPENED : PASSED;
    if (c === QUOTE) {
      this.#at = this.#skipText(this.#at + 1);
    } else if (readNumber(this.#bytes, this.#at, this.#end, this.#literal)) {
      if (this.#literal.end - this.#at > MAX_NUMBER_CHARS) {
        throw this.#bad(`has a number longer than ${MAX_NUMBER_CHARS} characters at byte ${this.#at}`);
      }
      this.#at = this.#literal.end;
    } else this.#word();
    return PASSED;
  }

  #open(isObject: boolean, pattern: Pattern | undefined): boolean {
    if (this.#frames.length === this.#limits.maxJsonDepth) throw this.#tooDeep();
    this.#at++;
    this.#skipSpace();
    if (this.#peek() === (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
      this.#at++;
      return false;
    }
    this.#frames.push({ isObject, pattern, keys: [], names: undefined, count: 0 });
    return true;
  }

  /** Closes what ends here and steps over a comma; the container that goes on, or undefined at the end of the text. */
  #afterValue(): Frame | undefined {
    for (;;) {
      this.#skipSpace();
      const frame = this.#frames.at(-1);
      if (frame === undefined) {
        if (this.#at < this.#end) throw this.#unexpected("the end of the text");
        return undefined;
      }
      const c = this.#peek();
      this.#at++;
      if (c === COMMA) {
        frame.count++;
        if (frame.pattern?.isTensors === true && frame.count >= this.#limits.maxTensors) {
          throw this.#bad(`lists more than ${this.#limits.maxTensors} tensors`, "bad_request");
        }
        return frame;
      }
      if (c !== (frame.isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
        this.#at--;
        throw this.#unexpected(frame.isObject ? '"," or "}"' : '"," or "]"');
      }
      this.#frames.pop();
    }
  }

  /** Reads a key and its colon; the pattern of its value. */
  #key(frame: Frame): Pattern | undefined {
    this.#skipSpace();
    if (this.#peek() !== QUOTE) throw this.#unexpected("a key in double quotes");
    const start = this.#at + 1;
    this.#at = this.#skipText(start);
    const end = this.#at - 1;
    this.#until -= KEY_COST;
    this.#rejectDuplicate(frame, start, end);
    this.#skipSpace();
    if (this.#peek() !== COLON) throw this.#unexpected('":"');
    this.#at++;
    const { pattern } = frame;
    if (pattern === undefined) return undefined;
    if (pattern.keys !== undefined) {
      const name = this.#bytes.toString("latin1", start, end);
      if (Object.hasOwn(pattern.keys, name)) return pattern.keys[name];
    }
    return pattern.anyKey;
  }

  #rejectDuplicate(frame: Frame, start: number, end: number): void {
    const { keys } = frame;
    const escaped = this.#bytes.subarray(start, end).includes(BACKSLASH);
    if (frame.names === undefined && (escaped || keys.length === MANY_KEYS * 2)) {
      frame.names = new Set();
      for (let i = 0; i < keys.length; i += 2)
        frame.names.add(this.#bytes.toString("utf8", keys[i]!, keys[i + 1]!));
    }
    if (frame.names === undefined) {
      for (let i = 0; i < keys.length; i += 2) {
        if (keys[i + 1]! - keys[i]! === end - start && this.#same(keys[i]!, start, end - start))
          throw this.#duplicate(start, end);
      }
      keys.push(start, end);
      return;
    }
    const name = escaped ? this.#unescape(start, end) : this.#bytes.toString("utf8", start, end);
    if (frame.names.has(name)) throw this.#duplicate(start, end);
    frame.names.add(name);
  }

  #same(a: number, b: number, length: number): boolean {
    for (let i = 0; i < length; i++) if (this.#bytes[a + i] !== this.#bytes[b + i]) return false;
    return true;
  }

  #unescape(start: number, end: number): string {
    try {
      return JSON.parse(this.#bytes.toString("utf8", start - 1, end + 1)) as string;
    } catch (cause) {
      throw new ServeError(
        "invalid_argument",
        `the JSON text has an invalid escape in the key at byte ${start}`,
        {
          reason: "bad_json",
          cause,
        },
      );
    }
  }

  /** Goes on to the end of the value that is being captured, by its brackets and quotes alone. */
  #skipOn(): Outcome {
    const bytes = this.#bytes;
    const until = this.#until;
    const maxDepth = this.#limits.maxJsonDepth - this.#frames.length;
    let depth = this.#captureDepth;
    let i = this.#at;
    if (this.#stringStart >= 0) {
      i = this.#skipString(this.#stringStart, i);
      if (i < 0) return PAUSED;
    }
    for (; i < until; i++) {
      const kind = CLASS[bytes[i]!]!;
      if (kind === PLAIN) continue;
      if (kind === STRING) {
        i = this.#skipString(i + 1, i + 1) - 1;
        if (i < 0) {
          this.#captureDepth = depth;
          return PAUSED;
        }
      } else if (kind === OPENS) {
        if (depth++ === maxDepth) throw this.#tooDeep();
      } else if (depth === 0) {
        return this.#endCapture(i);
      } else if (kind === CLOSES && --depth === 0) return this.#endCapture(i + 1);
    }
    if (i >= this.#end) return this.#endCapture(this.#end);
    this.#captureDepth = depth;
    this.#at = i;
    return PAUSED;
  }

  #endCapture(end: number): Outcome {
    const start = this.#captureStart;
    this.#at = end;
    if (end === start) throw this.#unexpected("a value");
    this.#captureStart = -1;
    this.#captured += end - start;
    this.spans.push({ start, end });
    return PASSED;
  }

  /** The byte after the closing quote of the string whose contents start at `start` and are read up to `at`; −1: the step ends inside. */
  #skipString(start: number, at: number): number {
    const bytes = this.#bytes;
    const until = this.#until;
    let i = at;
    for (; i < until; i++) {
      const c = bytes[i]!;
      if (c === QUOTE) {
        this.#stringStart = -1;
        return i + 1;
      }
      if (c === BACKSLASH) i++;
      else if (c < 0x20) throw this.#bad(`has a control character in the string at byte ${start - 1}`);
    }
    if (i >= this.#end) throw this.#bad(`ends inside the string that starts at byte ${start - 1}`);
    this.#stringStart = start;
    this.#at = i;
    return -1;
  }

  /** The same for a string outside of captured values, which is not long: longer than a step only with its end in sight. */
  #skipText(start: number): number {
    const stepEnd = this.#until;
    this.#until = Math.min(this.#end, start + this.#limits.maxEnvelopeBytes);
    const end = this.#skipString(start, start);
    if (end < 0) throw this.#tooMuch();
    this.#until = stepEnd;
    return end;
  }

  #word(): void {
    for (const word of ["true", "false", "null"]) {
      if (this.#bytes.toString("latin1", this.#at, Math.min(this.#end, this.#at + word.length)) === word) {
        this.#at += word.length;
        return;
      }
    }
    throw this.#unexpected("a value");
  }

  #skipSpace(): void {
    const bytes = this.#bytes;
    const end = Math.min(this.#end, this.#at + this.#limits.maxEnvelopeBytes + 1);
    let i = this.#at;
    for (; i < end; i++) {
      const c = bytes[i]!;
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
    }
    if (i === end && end < this.#end) throw this.#tooMuch();
    this.#at = i;
  }

  /** The byte here; 0, which no JSON text contains, at the end. */
  #peek(): number {
    return this.#at < this.#end ? this.#bytes[this.#at]! : 0;
  }

  #unexpected(expected: string): ServeError {
    const what = this.#at >= this.#end ? "ends" : "is broken";
    return this.#bad(`${what} at byte ${this.#at}, where ${expected} was expected`);
  }

  #duplicate(start: number, end: number): ServeError {
    const name = this.#bytes.toString("utf8", start, Math.min(end, start + 64));
    return this.#bad(
      `has the key ${JSON.stringify(name)} twice in one object (byte ${start})`,
      "duplicate_key",
    );
  }

  #tooMuch(): ServeError {
    const { maxEnvelopeBytes } = this.#limits;
    return this.#bad(`has more than ${maxEnvelopeBytes} bytes outside tensor data`, "envelope_too_large");
  }

  #tooDeep(): ServeError {
    return this.#bad(`is nested deeper than ${this.#limits.maxJsonDepth} levels`, "json_too_deep");
  }

  #bad(problem: string, reason: ReasonOf<"invalid_argument"> = "bad_json"): ServeError {
    return new ServeError("invalid_argument", `the JSON text ${problem}`, { reason });
  }
}
