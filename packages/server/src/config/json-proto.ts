import { ServeError } from "../base/errors.ts";
import type { TextMessage, TextValue } from "./text-proto.ts";

const MAX_BYTES = 2 ** 18;
const MAX_DEPTH = 32;
/** Fields and values. */
const MAX_VALUES = 10_000;

/** Fields of Triton's ModelConfig that are maps: JSON has objects for them, protobuf's text messages of a key and a value. */
const MAPS: ReadonlySet<string> = new Set([
  "parameters",
  "inputs",
  "cc_model_filenames",
  "metric_tags",
  "input_map",
  "output_map",
]);

/**
 * Reads a message in protobuf's JSON as protobuf's text format has it, without a schema; names of fields in snake_case or lowerCamelCase. At most 256 KiB,
 * 10,000 values, depth 32. Throws `invalid_argument`/`bad_config_file`.
 */
export function parseJsonProto(json: string, name: string): TextMessage {
  const bad = (why: string): ServeError =>
    new ServeError("invalid_argument", `${name}: ${why}`, { reason: "bad_config_file" });
  if (Buffer.byteLength(json) > MAX_BYTES) throw bad(`larger than ${MAX_BYTES} bytes`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw bad("not valid JSON");
  }
  if (!isObject(parsed)) throw bad("expected a JSON object");
  let count = 0;
  const readValue = (value: unknown, depth: number): TextValue => {
    if (++count > MAX_VALUES) throw bad(`more than ${MAX_VALUES} values`);
    if (depth > MAX_DEPTH) throw bad(`nested deeper than ${MAX_DEPTH} levels`);
    if (typeof value === "string") return { kind: "either", text: value, line: 0 };
    if (typeof value === "number" || typeof value === "boolean")
      return { kind: "word", text: String(value), line: 0 };
    if (isObject(value)) return { kind: "message", fields: fieldsOf(value, depth), line: 0 };
    throw bad("a list stands in a list");
  };
  const entriesOf = (map: object, depth: number): TextValue[] =>
    Object.entries(map).map(([key, value]) => {
      const fields = new Map<string, TextValue[]>([
        ["key", [{ kind: "string", text: key, line: 0 }]],
        ["value", [readValue(value, depth + 1)]],
      ]);
      return { kind: "message", fields, line: 0 };
    });
  const fieldsOf = (object: object, depth: number): TextMessage => {
    const fields = new Map<string, TextValue[]>();
    for (const [given, value] of Object.entries(object)) {
      if (value === null) continue;
      const field = given.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const values = Array.isArray(value) ? value : [value];
      const isMap = MAPS.has(field) && isObject(value);
      fields.set(field, isMap ? entriesOf(value, depth) : values.map((one) => readValue(one, depth + 1)));
    }
    return fields;
  };
  return fieldsOf(parsed, 0);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
