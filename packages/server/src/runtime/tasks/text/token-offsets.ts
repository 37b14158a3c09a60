import { byteAlphabet } from "./join-tokens.ts";
import type { OpenTokenizer, Trims } from "./open-tokenizer.ts";
import type { Tokenizer } from "./tokenizer-library.ts";

/** Where a token stands in its text, in characters (code points), as Python counts them. */
export type Offset = readonly [start: number, end: number];

/** One character of the text as the tokenizer sees it, and where it comes from. */
interface Seen {
  readonly char: string;
  readonly start: number;
  readonly end: number;
}

const METASPACE = "\u2581";
const SPACE = /^\s$/u;
const PUNCTUATION = /^[\p{P}!-/:-@[-`{-~]$/u;
/** A character with the marks that follow it, which normalisation may join. */
const CLUSTER = /[^\p{M}\u1160-\u11ff]?[\p{M}\u1160-\u11ff]*/gu;

/** Finds every token of a text in it, in order. The library does not say where they are. */
export function tokenOffsets(
  text: string,
  tokens: readonly string[],
  { tokenizer, kind, idOf, trims }: OpenTokenizer,
): Offset[] {
  if (kind === "byte-level") return byteOffsets(text, tokens, trims);
  const unknown = tokenizer.model?.unk_token_id;
  const seen = seenOf(text, tokenizer, kind === "wordpiece");
  const offsets: Offset[] = [];
  let at = 0;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (unknown !== undefined && idOf(token) === unknown) {
      const span = kind === "wordpiece" ? wordAt(seen, at) : unknownAt(seen, at, tokens[i + 1]);
      offsets.push(rangeOf(seen, span));
      at = span[1];
      continue;
    }
    const span = kind === "wordpiece" ? pieceAt(seen, at, token) : metaAt(seen, at, token);
    offsets.push(rangeOf(seen, span));
    at = Math.max(at, span[1] - (span[2] ?? 0));
  }
  return offsets;
}

type Span = readonly [from: number, to: number, unread?: number];

function rangeOf(seen: readonly Seen[], [from, to]: Span): Offset {
  const [first, last] = [seen[from], seen[to - 1]];
  if (first === undefined || last === undefined || to <= from) {
    const end = seen.at(-1)?.end ?? 0;
    return [first?.start ?? end, first?.start ?? end];
  }
  return [first.start, last.end];
}

function seenOf(text: string, { normalizer }: Tokenizer, dropsSpaces: boolean): Seen[] {
  const seen: Seen[] = [];
  let start = 0;
  for (const [cluster] of text.matchAll(CLUSTER)) {
    const length = [...cluster].length;
    if (length === 0) continue;
    const normalized = normalizer === null ? cluster : normalizer(cluster);
    for (const [i, char] of [...normalized].entries()) {
      // What marks were joined with stands for the first of them alone, as in the Rust library.
      const place = start + Math.min(i, length - 1);
      const isSpace = dropsSpaces && SPACE.test(char);
      seen.push({ char: isSpace ? " " : char, start: place, end: place + 1 });
    }
    start += length;
  }
  return seen;
}

function skipSpaces(seen: readonly Seen[], at: number): number {
  let next = at;
  while (next < seen.length && SPACE.test(seen[next]!.char)) next++;
  return next;
}

/** A word, or a piece of one behind `##`. */
function pieceAt(seen: readonly Seen[], at: number, token: string): Span {
  const start = skipSpaces(seen, at);
  const length = [...token.replace(/^##/, "")].length;
  return [start, Math.min(seen.length, start + length)];
}

/** What the tokenizer knows nothing of is a whole word. */
function wordAt(seen: readonly Seen[], at: number): Span {
  const start = skipSpaces(seen, at);
  let end = start + 1;
  if (start < seen.length && !PUNCTUATION.test(seen[start]!.char)) {
    while (end < seen.length && !SPACE.test(seen[end]!.char) && !PUNCTUATION.test(seen[end]!.char)) end++;
  }
  return [start, Math.min(end, seen.length)];
}

/** A piece that may begin with a space, which is there or was put before the text. */
function metaAt(seen: readonly Seen[], at: number, token: string): Span {
  const chars = [...token];
  const hasSpace = chars[0] === METASPACE && seen[at] !== undefined && /^[ \u2581]$/.test(seen[at].char);
  const wasAdded = chars[0] === METASPACE && !hasSpace;
  const length = chars.length - (wasAdded ? 1 : 0);
  // A space that was put there alone stands where the text begins.
  if (length === 0) return [at, Math.min(at + 1, seen.length), 1];
  return [at, Math.min(seen.length, at + length)];
}

/** What the tokenizer knows nothing of ends where its next token begins. */
function unknownAt(seen: readonly Seen[], at: number, next: string | undefined): Span {
  if (next === undefined) return [at, seen.length];
  const wanted = next[0] === METASPACE ? " " : [...next][0];
  let end = at + 1;
  while (end < seen.length && seen[end]!.char !== wanted) end++;
  return [at, end];
}

/** Every character of such a token is a byte of the text, in order. */
function byteOffsets(text: string, tokens: readonly string[], trims: Trims): Offset[] {
  const alphabet = byteAlphabet();
  const places: number[] = [];
  const chars = [...text];
  for (const [place, char] of chars.entries()) {
    for (let i = Buffer.byteLength(char); i > 0; i--) places.push(place);
  }
  let at = 0;
  return tokens.map((token, index) => {
    const bytes = [...token].filter((char) => alphabet.has(char)).length;
    // A space that the tokenizer puts before the text is no byte of it.
    const isAdded = index === 0 && trims.addsPrefix && !text.startsWith(" ");
    const [from, to] = [at, Math.min(places.length, at + bytes - (isAdded ? 1 : 0))];
    at = to;
    const start = places[from] ?? chars.length;
    const end = to > from ? places[to - 1]! + 1 : start;
    return trims.isOn
      ? trimmed(token, [start, end], trims.sparesFirst && (index === 0 || start === 0))
      : [start, end];
  });
}

function trimmed(token: string, [start, end]: Offset, keepsOne: boolean): Offset {
  const chars = [...token];
  const isSpace = (char: string | undefined): boolean => char === "\u0120" || SPACE.test(char ?? "x");
  let leading = 0;
  while (isSpace(chars[leading])) leading++;
  let trailing = 0;
  while (isSpace(chars[chars.length - 1 - trailing])) trailing++;
  const from = leading === 0 ? start : Math.min(start + leading - (keepsOne ? 1 : 0), end);
  const to = trailing > 0 && end >= trailing ? Math.max(end - trailing, from) : end;
  return [from, to];
}
