import { ServeError } from "../../base/errors.ts";

export const MAX_PROPERTIES_BYTES: number = 2 ** 20;
const MAX_KEYS = 10_000;
const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

/**
 * A Java .properties file: `key=value`, `key: value` or `key value`, comments after `#` or `!`, lines that go on after a backslash, `\uXXXX`. Of a key that is there
 * twice the last counts. Throws `invalid_argument`/`bad_config_file`.
 */
export function parseProperties(text: string, name: string): ReadonlyMap<string, string> {
  const fail = (why: string): ServeError =>
    new ServeError("invalid_argument", `${name}: ${why}`, { reason: "bad_config_file" });
  if (Buffer.byteLength(text) > MAX_PROPERTIES_BYTES) throw fail(`larger than ${MAX_PROPERTIES_BYTES} bytes`);
  const properties = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const [key, value] = splitLine(line);
    properties.set(unescaped(key), unescaped(value));
    if (properties.size > MAX_KEYS) throw fail(`more than ${MAX_KEYS} keys`);
  }
  return properties;
}

/** Lines without comments, each with those that continue it. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let open: string[] | undefined;
  for (const natural of text.split(/\r\n|\n|\r/)) {
    const line = natural.trimStart();
    if (open === undefined && (line === "" || line.startsWith("#") || line.startsWith("!"))) continue;
    let slashes = 0;
    while (line[line.length - 1 - slashes] === "\\") slashes += 1;
    const goesOn = slashes % 2 === 1;
    open ??= [];
    open.push(goesOn ? line.slice(0, -1) : line);
    if (goesOn) continue;
    lines.push(open.join(""));
    open = undefined;
  }
  if (open !== undefined) lines.push(open.join(""));
  return lines;
}

function splitLine(line: string): readonly [key: string, value: string] {
  let end = 0;
  while (end < line.length && !"=: \t\f".includes(line[end]!)) end += line[end] === "\\" ? 2 : 1;
  const rest = line.slice(end).replace(/^[ \t\f]*[=:]?[ \t\f]*/, "");
  return [line.slice(0, end), rest];
}

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, code?: string, letter?: string) =>
    code === undefined ? (ESCAPES[letter!] ?? letter!) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
