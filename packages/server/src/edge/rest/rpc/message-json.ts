import { type DescMessage, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ServeError } from "../../../base/errors.ts";

/** Text of JSON is read and written in one go, and by a general codec: more than this would keep others waiting. */
export const MAX_JSON_BYTES: number = 1024 * 1024;

/** Bytes of protobuf of a message in JSON. Throws `invalid_argument`, and `resource_exhausted` for more than `MAX_JSON_BYTES`. */
export function binaryOf(schema: DescMessage, json: Buffer): Uint8Array {
  if (json.length > MAX_JSON_BYTES) throw tooLarge("body_too_large");
  try {
    return toBinary(schema, fromJsonString(schema, json.toString(), { ignoreUnknownFields: true }));
  } catch (cause) {
    throw new ServeError("invalid_argument", `the body is not a valid ${schema.typeName} in JSON`, {
      reason: "malformed_message",
      cause,
    });
  }
}

/** The JSON of a message in protobuf's bytes, which came from this server. Throws `resource_exhausted`. */
export function jsonOf(schema: DescMessage, bytes: Uint8Array): Buffer {
  if (bytes.length > MAX_JSON_BYTES) throw tooLarge("response_too_large");
  return Buffer.from(toJsonString(schema, fromBinary(schema, bytes)));
}

function tooLarge(reason: "body_too_large" | "response_too_large"): ServeError {
  return new ServeError(
    "resource_exhausted",
    `a message in JSON has ${MAX_JSON_BYTES} bytes at most here; ask in protobuf's binary form, or at /v2`,
    { reason },
  );
}
