import { basename } from "node:path";
import { ServeError } from "../../base/errors.ts";
import { faultWords } from "../../base/file-fault.ts";
import { readAtMostSync } from "../../base/read-at-most.ts";
import type { RequestBody } from "./request-body.ts";

/** A text of more is one that JavaScript has no room for. */
const MOST_BYTES = 500 * 2 ** 20;
/** Names and values as HTTP allows them, without line ends: what is in a file is not trusted to be one header. */
const NAME = /^[\w-]{1,100}$/;
const VALUE = /^[\x20-\x7e]{0,1000}$/;
const PATH = /^\/[\x21-\x7e]{0,2000}$/;

/**
 * Reads recorded requests, a line of JSON for each: `path`, `headers` (default: JSON), and either `base64`, the bytes of the body, or `body`, the
 * body as JSON. Throws ServeError that names the line.
 */
export function readRecorded(path: string): readonly RequestBody[] {
  const bodies = textOf(path)
    .split("\n")
    .flatMap((line, i) => (line.trim() === "" ? [] : [requestOf(line, `${basename(path)}, line ${i + 1}`)]));
  if (bodies.length === 0) throw wrong(`${basename(path)} holds no request`);
  return bodies;
}

function textOf(path: string): string {
  let bytes: Buffer | undefined;
  try {
    bytes = readAtMostSync(path, MOST_BYTES);
  } catch (cause) {
    throw wrong(`${path} cannot be read: ${faultWords(cause)}`);
  }
  if (bytes !== undefined) return bytes.toString("utf8");
  throw wrong(`${basename(path)} has more than ${MOST_BYTES / 2 ** 20} MiB`);
}

function requestOf(line: string, where: string): RequestBody {
  const { path, headers = { "content-type": "application/json" }, base64, body } = parsed(line, where);
  if (typeof path !== "string" || !PATH.test(path))
    throw wrong(`${where}: "path" is not like /predict/MODEL`);
  if (typeof headers !== "object" || headers === null || !areHeaders(headers))
    throw wrong(`${where}: "headers" are not names and texts`);
  if (body !== undefined) return { path, headers, bytes: bytesOf(body, where) };
  if (typeof base64 !== "string") throw wrong(`${where}: neither "body" nor "base64"`);
  return { path, headers, bytes: Buffer.from(base64, "base64") };
}

/** JSON is read however deep it is, and not written. */
function bytesOf(body: unknown, where: string): Buffer {
  try {
    return Buffer.from(JSON.stringify(body));
  } catch {
    throw wrong(`${where}: "body" is nested too deep`);
  }
}

function parsed(line: string, where: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw wrong(`${where}: no JSON`);
  }
  if (typeof value !== "object" || value === null) throw wrong(`${where}: no JSON object`);
  return value as Readonly<Record<string, unknown>>; // each key is looked at before it is used
}

function areHeaders(headers: object): headers is Record<string, string> {
  return Object.entries(headers).every(
    ([name, value]) => NAME.test(name) && typeof value === "string" && VALUE.test(value),
  );
}

function wrong(message: string): ServeError {
  return new ServeError("invalid_argument", message);
}
