import type { ParameterValue } from "../../../base/infer-request.ts";
import {
  type HandlerField,
  handlerInputs,
  SEQUENCE_END,
  SEQUENCE_ID,
} from "../../torchserve/handler-call.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { DecodedRequest } from "../call/rest-inference.ts";
import { mediaType, readMultipart, readUrlEncoded } from "../json/form-fields.ts";
import { NONE } from "../json/parameters.ts";

const CREDENTIALS = /^(?:proxy-)?authorization$/i;

/** A request of one row for a handler. `own`: headers that this server adds. Throws `invalid_argument`. */
export function readHandlerRequest(
  call: RestCall,
  body: Buffer,
  own: Readonly<Record<string, string>> = {},
): DecodedRequest {
  const { headers, rawHeaders } = call.request;
  const fields = handlerFields(body, headers["content-type"] ?? "");
  const inputs = handlerInputs(fields, {
    id: call.id,
    headers: { ...handlerHeaders(rawHeaders), ...own },
    inPieces: true,
  });
  return { id: undefined, inputs, outputs: undefined, parameters: sequenceParameters(headers) };
}

/** The sequence that a request belongs to, as its headers say. */
function sequenceParameters(headers: RestCall["request"]["headers"]): Map<string, ParameterValue> {
  const id = headers[SEQUENCE_ID];
  if (typeof id !== "string" || id === "") return NONE;
  const isEnd = headers[SEQUENCE_END] === "true";
  return new Map<string, ParameterValue>([
    ["sequence_id", id],
    ["sequence_end", isEnd],
  ]);
}

/** What a body holds, by name. Throws `invalid_argument`. */
export function handlerFields(body: Buffer, contentType: string): readonly HandlerField[] {
  const type = mediaType(contentType);
  if (type === "multipart/form-data") return readMultipart(body, contentType);
  if (type === "application/x-www-form-urlencoded") return readUrlEncoded(body.toString());
  return [{ name: "body", type, bytes: body }];
}

/** What a handler is told of a request's headers. */
export function handlerHeaders(raw: readonly string[]): Record<string, string> {
  const named = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < raw.length; i += 2) named[raw[i]!] = raw[i + 1]!;
  // Meant for this server, not for the model's code.
  for (const name of Object.keys(named)) if (CREDENTIALS.test(name)) delete named[name];
  return named;
}
