import type { ByteWriter } from "./byte-writer.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;

/** What a one-letter escape stands for, by the letter's code; 0 where there is no such escape. */
const ESCAPES = new Uint8Array(128);
for (const pair of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"]) {
  ESCAPES[pair.charCodeAt(0)] = pair.charCodeAt(1);
}

/** Where a string's text is read from and to: it is looked at up to `until`, which may be before its end. */
export interface StringPart {
  readonly start: number;
  readonly until: number;
  readonly end: number;
}

/**
 * Copies JSON string text from `start` on to `out`, as UTF-8 without its escapes; `bytes` must be valid UTF-8. Returns where the string ended
 * (after the closing quote); the complement (`~`) of where to read on when `until` came first; or −1 when it is no string: it ends at `end`, or
 * has a bare control character, an unknown escape, or a surrogate without its other half.
 */
export function readString(bytes: Uint8Array, { start, until, end }: StringPart, out: ByteWriter): number {
  let run = start;
  let i = start;
  while (i < until && i < end) {
    const c = bytes[i]!;
    if (c >= 0x20 && c !== QUOTE && c !== BACKSLASH) {
      i++;
      continue;
    }
    if (i > run) out.raw(bytes.subarray(run, i));
    if (c === QUOTE) return i + 1;
    if (c < 0x20) return -1;
    i = readEscape(bytes, i + 1, end, out);
    if (i < 0) return -1;
    run = i;
  }
  if (i >= end) return -1;
  if (i > run) out.raw(bytes.subarray(run, i));
  return ~i;
}

function readEscape(bytes: Uint8Array, at: number, end: number, out: ByteWriter): number {
  if (at >= end) return -1;
  const letter = bytes[at]!;
  if (letter !== LOWER_U) {
    const plain = letter < 128 ? ESCAPES[letter]! : 0;
    if (plain === 0) return -1;
    out.byte(plain);
    return at + 1;
  }
  const unit = hex4(bytes, at + 1, end);
  if (unit < 0xd800 || unit > 0xdfff) {
    if (unit < 0) return -1;
    writeCodePoint(out, unit);
    return at + 5;
  }
  const paired = unit < 0xdc00 && bytes[at + 5] === BACKSLASH && bytes[at + 6] === LOWER_U;
  const low = paired ? hex4(bytes, at + 7, end) : -1;
  if (low < 0xdc00 || low > 0xdfff) return -1;
  writeCodePoint(out, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
  return at + 11;
}

function hex4(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let value = 0;
  for (let i = at; i < at + 4; i++) {
    const c = bytes[i]!;
    const digit = c - 0x30;
    const letter = (c | 0x20) - 0x61;
    if (digit >>> 0 <= 9) value = value * 16 + digit;
    else if (letter >>> 0 <= 5) value = value * 16 + 10 + letter;
    else return -1;
  }
  return value;
}

function writeCodePoint(out: ByteWriter, point: number): void {
  if (point < 0x80) {
    out.byte(point);
  } else if (point < 0x800) {
    out.byte(0xc0 | (point >>> 6));
    out.byte(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    out.byte(0xe0 | (point >>> 12));
    out.byte(0x80 | ((point >>> 6) & 0x3f));
    out.byte(0x80 | (point & 0x3f));
  } else {
    out.byte(0xf0 | (point >>> 18));
    out.byte(0x80 | ((point >>> 12) & 0x3f));
    out.byte(0x80 | ((point >>> 6) & 0x3f));
    out.byte(0x80 | (point & 0x3f));
  }
}

/** Writes text as UTF-8; a surrogate without its other half becomes U+FFFD. */
export function writeUtf8(out: ByteWriter, text: string): void {
  out.reserve(text.length * 3);
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i)!;
    if (point > 0xffff) i++;
    writeCodePoint(out, point >= 0xd800 && point <= 0xdfff ? 0xfffd : point);
  }
}

const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  8: "\\b",
  9: "\\t",
  10: "\\n",
  12: "\\f",
  13: "\\r",
  [QUOTE]: '\\"',
  [BACKSLASH]: "\\\\",
};

/** Writes valid UTF-8 bytes as a JSON string, quotes included. */
export function writeString(out: ByteWriter, utf8: Uint8Array): void {
  out.byte(QUOTE);
  let run = 0;
  for (let i = 0; i < utf8.length; i++) {
    const c = utf8[i]!;
    if (c >= 0x20 && c !== QUOTE && c !== BACKSLASH) continue;
    if (i > run) out.raw(utf8.subarray(run, i));
    run = i + 1;
    out.ascii(SHORT_ESCAPES[c] ?? `\\u${c.toString(16).padStart(4, "0")}`);
  }
  if (run < utf8.length) out.raw(utf8.subarray(run));
  out.byte(QUOTE);
}

/** Whether bytes are well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
export function isUtf8(bytes: Uint8Array): boolean {
  const { length } = bytes;
  for (let i = 0; i < length; ) {
    const c = bytes[i]!;
    if (c < 0x80) {
      i++;
      continue;
    }
    const size = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (size === 0 || i + size > length) return false;
    const second = bytes[i + 1]!;
    if (second < (SECOND_MIN[c] ?? 0x80) || second > (SECOND_MAX[c] ?? 0xbf)) return false;
    for (let k = 2; k < size; k++) if ((bytes[i + k]! & 0xc0) !== 0x80) return false;
    i += size;
  }
  return true;
}

const SECOND_MIN: Readonly<Record<number, number>> = { 224: 0xa0, 240: 0x90 };
const SECOND_MAX: Readonly<Record<number, number>> = { 237: 0x9f, 244: 0x8f };
