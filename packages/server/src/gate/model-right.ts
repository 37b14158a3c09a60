import { ServeError } from "../base/errors.ts";
import type { ModelRight } from "./caller.ts";

const MAX_PATTERNS = 100;
/** What names of models are made of, and `*`. */
const PATTERN = /^[A-Za-z0-9._*-]{1,255}$/;

/** Compiles names with `*`, such as `resnet*`. Undefined, and `*` among them: all models. Throws `invalid_argument`. */
export function modelRight(patterns: readonly string[] | undefined): ModelRight | undefined {
  if (patterns === undefined || patterns.includes("*")) return undefined;
  const wrong = patterns.find((pattern) => !PATTERN.test(pattern));
  if (wrong !== undefined || patterns.length > MAX_PATTERNS || patterns.length === 0) {
    throw new ServeError(
      "invalid_argument",
      `models: expected 1 to ${MAX_PATTERNS} names of models, with * for any text${wrong === undefined ? "" : `, got ${JSON.stringify(wrong.slice(0, 80))}`}`,
      { reason: "bad_option" },
    );
  }
  const sorted = [...new Set(patterns)].sort();
  const [exact, open] = [sorted.filter(isExact), sorted.filter((pattern) => !isExact(pattern))];
  const names = new Set(exact);
  const parts = open.map((pattern) => pattern.split("*"));
  return {
    text: sorted.join(" "),
    includes: (model) => names.has(model) || parts.some((pieces) => matches(model, pieces)),
  };
}

function isExact(pattern: string): boolean {
  return !pattern.includes("*");
}

/** `pieces`: what stands between the stars. Looks at each letter of the name once for each piece, whatever they are. */
function matches(name: string, pieces: readonly string[]): boolean {
  const [first, last] = [pieces[0]!, pieces.at(-1)!]; // a pattern with a star has two pieces at least
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
