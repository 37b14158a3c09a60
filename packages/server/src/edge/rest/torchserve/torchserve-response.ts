import type { ServeError } from "../../../base/errors.ts";
import type { InferResponse, ResponsePiece } from "../../../base/infer-request.ts";
import {
  type HandlerResponse,
  handlerPiece,
  handlerResponse,
  REFUSAL_MARK,
} from "../../torchserve/handler-call.ts";
import { type Asked, torchserveFailure } from "../../torchserve/torchserve-failure.ts";
import type { ErrorResponse } from "../call/error-response.ts";
import { errorResponse } from "../call/error-response.ts";
import { type InferenceBody, JSON_TYPE } from "../call/rest-call.ts";

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
  REFUSAL_MARK,
]);

/** The answer of a TorchServe handler: its bytes as they are, under its status, type and headers. */
export function encodeHandlerResponse(response: InferResponse): InferenceBody {
  return encode(handlerResponse(response));
}

/** A piece of it. */
export function encodeHandlerPiece(piece: ResponsePiece): InferenceBody {
  return encode(handlerPiece(piece));
}

function encode({ status, body, type, headers: given, isRefusal }: HandlerResponse): InferenceBody {
  if (isRefusal) {
    const message = Buffer.from(body).toString();
    return {
      status,
      body: prettyJson({ code: status, type: "InternalServerException", message }),
      type: JSON_TYPE,
    };
  }
  const headers: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (TOKEN.test(name) && VALUE.test(value) && !OURS.has(name.toLowerCase())) headers.push(name, value);
  }
  // Without a type, nobody may guess one.
  if (type === undefined) headers.push("X-Content-Type-Options", "nosniff");
  return { status, body, type: type !== undefined && VALUE.test(type) ? type : "", headers };
}

/** An error as TorchServe spells it: `{"code", "type", "message"}`. */
export function torchserveError(error: ServeError, random: () => number, asked: Asked): ErrorResponse {
  const { status, retryAfter } = errorResponse(error, random);
  const failure = torchserveFailure(error, status, asked);
  // What a model cannot answer, it will not answer later either.
  const isFinal = error.reason === "model_failed";
  return { status: failure.code, body: prettyJson(failure), retryAfter: isFinal ? undefined : retryAfter };
}

/** As TorchServe writes JSON: indented, with a line end. */
export function prettyJson(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
}
