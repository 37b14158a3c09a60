import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { parseDocument } from "yaml";
import { ServeError } from "../base/errors.ts";
import { onFile } from "../base/file-fault.ts";

const MAX_YAML_BYTES = 2 ** 20;
const MAX_YAML_DEPTH = 32;
const MAX_YAML_ALIASES = 100;

/** A YAML file as plain data. */
export interface YamlFile {
  /** File name without folders, for messages. */
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
}

function depthOf(value: unknown, limit: number): number {
  if (typeof value !== "object" || value === null) return 0;
  if (limit === 0) return 1;
  return 1 + Math.max(0, ...Object.values(value).map((item) => depthOf(item, limit - 1)));
}

/** Parses YAML core schema: no tags, at most 100 alias expansions, 1 MiB, depth 32. Throws `invalid_argument` with the line. */
export function parseYaml(text: string, name: string): YamlFile {
  const fail = (why: string): never => {
    throw new ServeError("invalid_argument", `${name}: ${why}`, { reason: "bad_config_file" });
  };
  if (Buffer.byteLength(text) > MAX_YAML_BYTES) fail(`larger than ${MAX_YAML_BYTES} bytes`);
  const document = parseDocument(text, {
    schema: "core",
    uniqueKeys: true,
    merge: false,
    logLevel: "silent",
  });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) fail(problem.message.split("\n")[0] ?? "not YAML");
  let values: unknown;
  try {
    values = document.toJS({ maxAliasCount: MAX_YAML_ALIASES });
  } catch {
    fail(`more than ${MAX_YAML_ALIASES} alias expansions`);
  }
  if (values === null || values === undefined) return { name, values: {} };
  if (typeof values !== "object" || Array.isArray(values))
    fail("expected a mapping of keys to values at the top");
  if (depthOf(values, MAX_YAML_DEPTH) > MAX_YAML_DEPTH) fail(`nested deeper than ${MAX_YAML_DEPTH}`);
  return { name, values: values as Record<string, unknown> };
}

/** Reads and parses a YAML file; throws `invalid_argument`, or `unavailable` with what the file system said. */
export function readYaml(path: string): YamlFile {
  const name = basename(path);
  const isTooLarge = onFile(path, (file) => statSync(file).size) > MAX_YAML_BYTES;
  return parseYaml(isTooLarge ? tooLarge(name) : onFile(path, (file) => readFileSync(file, "utf8")), name);
}

function tooLarge(name: string): never {
  throw new ServeError("invalid_argument", `${name}: larger than ${MAX_YAML_BYTES} bytes`, {
    reason: "bad_config_file",
  });
}
