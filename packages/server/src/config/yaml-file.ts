import { createRequire } from "node:module";
import { basename } from "node:path";
import { ServeError } from "../base/errors.ts";
import { onFile } from "../base/file-fault.ts";
import { once } from "../base/once.ts";
import { readAtMostSync } from "../base/read-at-most.ts";
import { yamlProblem } from "./yaml-problem.ts";

/** Most starts read no YAML in this thread, and it takes 15 ms to load. */
const yaml = once(() => createRequire(import.meta.url)("yaml") as typeof import("yaml"));

const MAX_YAML_BYTES = 2 ** 20;
const MAX_YAML_DEPTH = 32;
const MAX_YAML_ALIASES = 100;
/** Words and marks: what the parser's time grows with, faster than in proportion. */
const MAX_YAML_TOKENS = 20_000;
/** Values and keys once aliases are expanded, and characters in them. */
const MAX_YAML_NODES = 10_000;
const MAX_YAML_CHARACTERS = 2 ** 20;

/** A YAML file as plain data. */
export interface YamlFile {
  /** File name without folders, for messages. */
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Which limit a value exceeds, if any. An alias inside its own anchor has no end, so what was seen is counted, not what there is. */
function excess(root: unknown): string | undefined {
  let [nodes, characters] = [0, 0];
  const look = (value: unknown, depth: number): string | undefined => {
    nodes++;
    if (nodes > MAX_YAML_NODES) return `more than ${MAX_YAML_NODES} values`;
    if (typeof value === "string") characters += value.length;
    if (characters > MAX_YAML_CHARACTERS) return `more than ${MAX_YAML_CHARACTERS} characters`;
    if (typeof value !== "object" || value === null) return undefined;
    if (depth === MAX_YAML_DEPTH) return `nested deeper than ${MAX_YAML_DEPTH}`;
    for (const [key, item] of Object.entries(value)) {
      characters += key.length;
      const found = look(item, depth + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return look(root, 0);
}

function hasTooManyTokens(text: string): boolean {
  let tokens = 0;
  for (const _ of new (yaml().Lexer)().lex(text)) if (++tokens > MAX_YAML_TOKENS) return true;
  return false;
}

/**
 * Parses YAML core schema: no tags, at most 100 alias expansions, 1 MiB, 10,000 values, depth 32, one document. Throws `invalid_argument`
 * with the line.
 */
export function parseYaml(text: string, name: string): YamlFile {
  const fail = (why: string): never => {
    throw new ServeError("invalid_argument", `${name}: ${why}`, { reason: "bad_config_file" });
  };
  checkYamlSize(Buffer.byteLength(text), name);
  if (hasTooManyTokens(text)) fail(`more than ${MAX_YAML_TOKENS} words and marks`);
  const document = yaml().parseDocument(text, {
    schema: "core",
    uniqueKeys: true,
    merge: false,
    // At "silent" a second document is dropped without a word.
    logLevel: "error",
  });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem?.code === "MULTIPLE_DOCS") fail("several documents; expected one mapping of keys to values");
  if (problem !== undefined) fail(yamlProblem(problem));
  let values: unknown;
  try {
    values = document.toJS({ maxAliasCount: MAX_YAML_ALIASES });
  } catch (cause) {
    const unknown = /^Unresolved alias .*: (.*)$/.exec(cause instanceof Error ? cause.message : "")?.[1];
    if (unknown !== undefined)
      fail(`*${unknown} is the alias of no anchor; put a text that begins with * in quotes`);
    fail(`more than ${MAX_YAML_ALIASES} alias expansions`);
  }
  if (values === null || values === undefined) return { name, values: {} };
  if (typeof values !== "object" || Array.isArray(values))
    fail("expected a mapping of keys to values at the top");
  const tooMuch = excess(values);
  if (tooMuch !== undefined) fail(tooMuch);
  return { name, values: values as Record<string, unknown> };
}

/** Reads and parses the operator's own YAML file, here and now; throws `invalid_argument`, or `unavailable` with what the file system said. */
export function readYaml(path: string): YamlFile {
  const name = basename(path);
  const bytes = onFile(path, (file) => readAtMostSync(file, MAX_YAML_BYTES));
  if (bytes === undefined) throw tooLarge(name);
  return parseYaml(bytes.toString("utf8"), name);
}

/** Throws `invalid_argument` for a file that is too large to be read. */
export function checkYamlSize(bytes: number, name: string): void {
  if (bytes > MAX_YAML_BYTES) throw tooLarge(name);
}

function tooLarge(name: string): ServeError {
  return new ServeError("invalid_argument", `${name}: larger than ${MAX_YAML_BYTES} bytes`, {
    reason: "bad_config_file",
  });
}
