import { ModelFileError } from "../errors.ts";

/**
 * Refuses what `JSON.parse` would let pass in a header that decides where bytes lie: a key twice in one object (it would keep the last
 * one silently) and objects nested deeper than `maxDepth`. Leaves every other fault to `JSON.parse`. Throws ModelFileError("corrupt").
 */
export function checkJsonKeys(text: string, { maxDepth }: { readonly maxDepth: number }): void {
  /** Per open bracket: the keys so far of an object, or undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === "{" || char === "[") {
      open.push(char === "{" ? new Set() : undefined);
      if (open.length > maxDepth) throw new ModelFileError("corrupt", "the header nests too deep");
    } else if (char === "}" || char === "]") {
      open.pop();
    } else if (char === '"') {
      const end = stringEnd(text, at);
      const keys = open.at(-1);
      if (keys !== undefined && isKey(text, end)) addKey(keys, text.slice(at, end));
      at = end - 1;
    }
  }
}

function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at + 1;
  }
  throw new ModelFileError("corrupt", "the header has a string without end");
}

function isKey(text: string, at: number): boolean {
  let next = at;
  while (next < text.length && " \t\r\n".includes(text[next]!)) next += 1;
  return text[next] === ":";
}

function addKey(keys: Set<string>, literal: string): void {
  let key: string;
  try {
    key = JSON.parse(literal) as string;
  } catch (error) {
    throw new ModelFileError("corrupt", "the header has a broken string", { cause: error });
  }
  if (keys.has(key))
    throw new ModelFileError("corrupt", `the header has the key ${literal.slice(0, 120)} twice`);
  keys.add(key);
}
