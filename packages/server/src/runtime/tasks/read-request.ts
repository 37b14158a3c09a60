import { ServeError } from "../../base/errors.ts";
import type { TaskPart } from "../../base/task.ts";
import { isObject } from "./side-files.ts";
import type { TaskInput, TaskParameters, TaskProcessor } from "./task-processor.ts";

/** What a request asks, whatever form it came in. */
export interface ReadTask {
  readonly inputs: readonly TaskInput[];
  /** They came as a list: the answer is one. */
  readonly isList: boolean;
  readonly parameters: TaskParameters;
  /** The answer stands alone, as Hugging Face's servers answer `{"inputs": …}`; else in `{"prediction": …}`. */
  readonly isBare: boolean;
}

/** Inputs of one request. */
const MAX_INPUTS = 256;
const MAX_PARAMETER_BYTES = 65_536;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
const DATA_URL = /^data:[^,]{0,200};base64,/;
const JSON_BEGINNING = /^\s*\{/;
/** `fetch` calls every text plain. */
const JSON_TEXT = /^\s*\{\s*"inputs?"\s*:/;
const INPUT_NAMES: ReadonlySet<string> = new Set(["input", "inputs", "file", "image", "audio", "text"]);

/** Reads a body, or the fields of a form. Throws `invalid_argument` naming the field. */
export function readRequest(parts: readonly TaskPart[], task: TaskProcessor): ReadTask {
  const [first] = parts;
  if (parts.length === 1 && first!.name === "") return readBody(first!, task);
  return readForm(parts, task);
}

function readBody(part: TaskPart, task: TaskProcessor): ReadTask {
  if (part.bytes.length === 0)
    throw bad("body", 'it is empty; expected {"input": …}, or the input itself', "empty_body");
  if (isJson(part)) return readJson(part.bytes, task);
  return { inputs: [readBytes("body", part, task)], isList: false, parameters: {}, isBare: false };
}

/** What begins as JSON does is JSON, unless its type says otherwise: `curl -d` calls everything a form. */
function isJson({ type, bytes }: TaskPart): boolean {
  if (type.endsWith("json")) return true;
  if (type.startsWith("image/") || type.startsWith("audio/")) return false;
  const beginning = Buffer.from(bytes.subarray(0, 64)).toString("latin1");
  return (type.startsWith("text/") ? JSON_TEXT : JSON_BEGINNING).test(beginning);
}

function readBytes(field: string, { type, bytes }: TaskPart, task: TaskProcessor): TaskInput {
  const isText =
    task.takes === "text" || (task.takes === "values" && (type === "" || type.startsWith("text/")));
  return isText ? { kind: "text", text: textOf(field, bytes) } : { kind: "bytes", bytes, type };
}

function textOf(field: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw bad(field, "expected text in UTF-8", "bad_utf8");
  }
}

function readJson(bytes: Uint8Array, task: TaskProcessor): ReadTask {
  const text = textOf("body", bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ServeError("invalid_argument", `body: ${(cause as Error).message}`, { reason: "bad_json" });
  }
  if (!isObject(value)) throw bad("body", 'expected an object such as {"input": …}', "bad_json");
  const name = "inputs" in value ? "inputs" : "input";
  const { input, inputs, parameters = {}, ...others } = value;
  const [surplus] = Object.keys(others);
  if (surplus !== undefined)
    throw bad(surplus.slice(0, 64), 'no such field; there are "input" and "parameters"');
  if (input !== undefined && inputs !== undefined)
    throw bad("inputs", '"input" is given as well; send one of them');
  const given = input ?? inputs;
  if (given === undefined) throw bad("input", 'missing; expected {"input": …}');
  if (!isObject(parameters)) throw bad("parameters", "expected an object");
  checkParameters(parameters, task);
  const isList = Array.isArray(given) && task.isOneInput?.(given) !== true;
  const list: readonly unknown[] = isList ? given : [given];
  if (list.length > MAX_INPUTS) throw bad(name, `at most ${MAX_INPUTS} inputs at once, got ${list.length}`);
  return {
    inputs: list.map((item, i) => readItem(isList ? `${name}[${i}]` : name, item, task)),
    isList,
    parameters,
    isBare: name === "inputs",
  };
}

function readItem(field: string, item: unknown, task: TaskProcessor): TaskInput {
  if (typeof item !== "string") return { kind: "value", value: item };
  if (task.takes !== "bytes") return { kind: "text", text: item };
  if (/^https?:/.test(item))
    throw bad(field, "a URL; this server fetches nothing: send the file's own bytes");
  const base64 = item.replace(DATA_URL, "");
  if (!BASE64.test(base64)) throw bad(field, "expected a file's bytes in base64");
  return { kind: "bytes", bytes: Buffer.from(base64, "base64") };
}

/** Files, or fields that are called as an input is, are inputs; all else are parameters. */
function readForm(parts: readonly TaskPart[], task: TaskProcessor): ReadTask {
  const inputs: TaskInput[] = [];
  const parameters: Record<string, unknown> = Object.create(null);
  for (const part of parts) {
    const { name, type, bytes } = part;
    const isInput = type !== "" || INPUT_NAMES.has(name);
    if (isInput) inputs.push(readBytes(name, part, task));
    else if (name === "parameters") Object.assign(parameters, formParameters(name, bytes));
    else if (name in parameters) parameters[name] = [parameters[name], formValue(name, bytes)].flat();
    else parameters[name] = formValue(name, bytes);
    if (inputs.length > MAX_INPUTS) throw bad(name, `at most ${MAX_INPUTS} inputs at once`);
  }
  if (inputs.length === 0) throw bad("body", 'the form has no file, and no field "input"');
  checkParameters(parameters, task);
  return { inputs, isList: inputs.length > 1, parameters, isBare: false };
}

function formParameters(name: string, bytes: Uint8Array): object {
  const value = formValue(name, bytes);
  if (!isObject(value)) throw bad(name, "expected a JSON object");
  return value;
}

/** What reads as JSON is that, else it is text. */
function formValue(name: string, bytes: Uint8Array): unknown {
  if (bytes.length > MAX_PARAMETER_BYTES) throw bad(name, `longer than ${MAX_PARAMETER_BYTES} bytes`);
  const text = textOf(name, bytes);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function checkParameters(parameters: TaskParameters, task: TaskProcessor): void {
  if (task.parameters === "any") return;
  const known = task.parameters;
  const unknown = Object.keys(parameters).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const list = known.join(", ") || "none";
  throw bad(`parameters.${unknown.slice(0, 64)}`, `no such parameter; there are ${list}`);
}

type Reason = "bad_request" | "bad_json" | "bad_utf8" | "empty_body";

/** An error about a field of the request. */
export function bad(field: string, problem: string, reason: Reason = "bad_request"): ServeError {
  return new ServeError("invalid_argument", `${field}: ${problem}`, { reason });
}
