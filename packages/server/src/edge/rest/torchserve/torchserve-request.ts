import { packBytes } from "@sconce/protocol";
import type { TensorSpec } from "../../../base/signature.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { DecodedRequest } from "../call/rest-inference.ts";
import { type FormField, mediaType, readMultipart, readUrlEncoded } from "../json/form-fields.ts";
import { NONE } from "../json/parameters.ts";

const CREDENTIALS = /^(?:proxy-)?authorization$/i;
/** What a TorchServe handler takes: bytes, and what they are. */
const INPUTS = ["body", "head"] as const;

/** Whether a model takes requests as TorchServe's handlers do, with any body. */
export function takesAnyBody(inputs: readonly TensorSpec[]): boolean {
  return (
    inputs.length === INPUTS.length &&
    INPUTS.every((name, index) => inputs[index]!.name === name && inputs[index]!.datatype === "BYTES")
  );
}

/** A request of one row: the fields' bytes one after another, and a head that says which are whose. Throws `invalid_argument`. */
export function readHandlerRequest(call: RestCall, body: Buffer): DecodedRequest {
  const { headers, rawHeaders, url = "" } = call.request;
  const contentType = headers["content-type"] ?? "";
  const query = url.indexOf("?");
  const fields = [...(query < 0 ? [] : readUrlEncoded(url.slice(query + 1))), ...fieldsOf(body, contentType)];
  const head = {
    id: call.id,
    headers: namedHeaders(rawHeaders),
    parts: fields.map(({ name, type, bytes }) => ({ name, type, bytes: bytes.length })),
  };
  const whole = fields.length === 1 ? fields[0]!.bytes : Buffer.concat(fields.map(({ bytes }) => bytes));
  return {
    id: undefined,
    inputs: [row("body", whole), row("head", Buffer.from(JSON.stringify(head)))],
    outputs: undefined,
    parameters: NONE,
  };
}

function fieldsOf(body: Buffer, contentType: string): readonly FormField[] {
  const type = mediaType(contentType);
  if (type === "multipart/form-data") return readMultipart(body, contentType);
  if (type === "application/x-www-form-urlencoded") return readUrlEncoded(body.toString());
  return [{ name: "body", type, bytes: body }];
}

function namedHeaders(raw: readonly string[]): Record<string, string> {
  const named = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < raw.length; i += 2) named[raw[i]!] = raw[i + 1]!;
  // Meant for this server, not for the model's code.
  for (const name of Object.keys(named)) if (CREDENTIALS.test(name)) delete named[name];
  return named;
}

function row(name: string, bytes: Buffer): DecodedRequest["inputs"][number] {
  return { name, datatype: "BYTES", shape: [1], bytes: packBytes([bytes]) };
}
