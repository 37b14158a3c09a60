import type { ServeError } from "../../../base/errors.ts";
import { bad } from "./fields.ts";

/** One field of a form, or what a body is as a whole. */
export interface FormField {
  readonly name: string;
  /** Of a file; "" for what is typed into a form. */
  readonly type: string;
  readonly bytes: Buffer;
}

const MAX_FIELDS = 1000;
const MAX_HEAD_BYTES = 8192;
/** RFC 2046 §5.1.1. */
const BOUNDARY = /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))/i;
const HEAD_END = Buffer.from("\r\n\r\n");
const DASHES = "--";

/** The fields of a `multipart/form-data` body, as views on it. Throws `invalid_argument`. */
export function readMultipart(body: Buffer, contentType: string): readonly FormField[] {
  const [, quoted, plain] = BOUNDARY.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw badForm("Content-Type names no boundary");
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  // The first delimiter has no line before it.
  const first = delimiter.subarray(2);
  if (body.compare(first, 0, first.length, 0, Math.min(first.length, body.length)) !== 0)
    throw badForm("it does not begin with its boundary");
  const fields: FormField[] = [];
  let at = first.length;
  while (body.toString("latin1", at, at + 2) !== DASHES) {
    if (fields.length === MAX_FIELDS) throw badForm(`it has more than ${MAX_FIELDS} fields`);
    const headEnd = body.indexOf(HEAD_END, at);
    if (headEnd < 0 || headEnd - at > MAX_HEAD_BYTES) throw badForm("a field's head does not end");
    const start = headEnd + HEAD_END.length;
    const end = body.indexOf(delimiter, start);
    if (end < 0) throw badForm("it ends without its boundary");
    fields.push({
      ...readHead(body.toString("utf8", at, headEnd)),
      bytes: body.subarray(start, end),
    });
    at = end + delimiter.length;
  }
  return fields;
}

function readHead(head: string): Pick<FormField, "name" | "type"> {
  const lines = head.split("\r\n");
  const lineOf = (name: string): string | undefined =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const disposition = lineOf("content-disposition") ?? "";
  const [, quoted, plain] = /;\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(disposition) ?? [];
  const name = quoted?.replace(/\\(.)/g, "$1") ?? plain;
  if (name === undefined || name === "") throw badForm("a field has no name");
  const isFile = /;\s*filename\*?=/i.test(disposition);
  return { name, type: isFile ? mediaType(lineOf("content-type")) : "" };
}

/** The names and values of a query or of an `application/x-www-form-urlencoded` body. Throws `invalid_argument`. */
export function readUrlEncoded(text: string): readonly FormField[] {
  const fields: FormField[] = [];
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.length === MAX_FIELDS) throw badForm(`it has more than ${MAX_FIELDS} fields`);
    fields.push({ name, type: "", bytes: Buffer.from(value) });
  }
  return fields;
}

/** A media type without its parameters, in lower case; "" for none. */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? "").split(";", 1)[0]!.trim().toLowerCase();
}

function badForm(why: string): ServeError {
  return bad("body", `the form cannot be read: ${why}`);
}
