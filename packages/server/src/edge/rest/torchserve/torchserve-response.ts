import { unpackBytes } from "@sconce/protocol";
import type { ServeError } from "../../../base/errors.ts";
import type { InferResponse } from "../../../base/infer-request.ts";
import type { ErrorResponse } from "../call/error-response.ts";
import { errorResponse } from "../call/error-response.ts";
import { type InferenceBody, JSON_TYPE } from "../call/rest-call.ts";

/** What a handler says of its answer. */
interface AnswerHead {
  readonly status: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Marks the answer of a handler that refused its request. */
const FAILED = "x-sconce-failed";
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]{0,4096}$/;
/** Of the connection and the message, which are this server's to say. */
const OURS: ReadonlySet<string> = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "date",
  "keep-alive",
  "trailer",
  "transfer-encoding",
  "upgrade",
  FAILED,
]);

/** The answer of a TorchServe handler: its bytes as they are, under its status, type and headers. */
export function encodeHandlerResponse({ outputs }: InferResponse): InferenceBody {
  const [body] = unpackBytes(outputs[0]!.bytes, "response");
  const head = JSON.parse(
    Buffer.from(unpackBytes(outputs[1]!.bytes, "response_head")[0]!).toString(),
  ) as AnswerHead;
  const given = head.headers ?? {};
  if (given[FAILED] !== undefined) {
    const message = Buffer.from(body!).toString();
    return {
      status: head.status,
      body: envelope(head.status, "InternalServerException", message),
      type: JSON_TYPE,
    };
  }
  const headers: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (TOKEN.test(name) && VALUE.test(value) && !OURS.has(name.toLowerCase())) headers.push(name, value);
  }
  // Without a type, nobody may guess one.
  if (head.type === undefined) headers.push("X-Content-Type-Options", "nosniff");
  const type = head.type !== undefined && VALUE.test(head.type) ? head.type : "";
  return { status: head.status, body: body!, type, headers };
}

/** TorchServe's names of errors, by status. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [400, "BadRequestException"],
  [401, "InvalidKeyException"],
  [403, "InvalidKeyException"],
  [404, "ResourceNotFoundException"],
  [405, "MethodNotAllowedException"],
  [409, "ConflictStatusException"],
  [413, "RequestEntityTooLargeException"],
  [503, "ServiceUnavailableException"],
]);

/** An error as TorchServe spells it: `{"code", "type", "message"}`. `version`: the one asked for, of a model that is there. */
export function torchserveError(
  error: ServeError,
  random: () => number,
  asked: { readonly model: string | undefined; readonly version: string | undefined },
): ErrorResponse {
  const { status: own, retryAfter } = errorResponse(error, random);
  if (error.reason === "model_failed") {
    return {
      status: 503,
      body: envelope(503, "InternalServerException", "Prediction failed"),
      retryAfter: undefined,
    };
  }
  // A full queue is what TorchServe calls "unavailable".
  const status = own === 429 ? 503 : own;
  const { type, message } = missing(error, asked) ?? {
    type: TYPES.get(status) ?? "InternalServerException",
    message: error.message,
  };
  return { status, body: envelope(status, type, message), retryAfter };
}

function missing(
  { code, reason }: ServeError,
  { model, version }: { readonly model: string | undefined; readonly version: string | undefined },
): { readonly type: string; readonly message: string } | undefined {
  if (code !== "not_found" || model === undefined || reason === "no_such_url") return undefined;
  if (version === undefined) return { type: "ModelNotFoundException", message: `Model not found: ${model}` };
  return {
    type: "ModelVersionNotFoundException",
    message: `Model version: ${version} does not exist for model: ${model}`,
  };
}

/** As TorchServe writes JSON: indented, with a line end. */
export function prettyJson(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
}

function envelope(code: number, type: string, message: string): Buffer {
  return prettyJson({ code, type, message });
}
