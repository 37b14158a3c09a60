import type { ErrorCode, ServeError } from "../../base/errors.ts";
import { GRPC_STATUS_NUMBERS } from "../../base/grpc-status-numbers.ts";
import { retryHintMs } from "../retry-hint.ts";
import { statusDetails } from "./status-details.ts";

/** Trailer with the stable word for an error's cause. */
const REASON_KEY = "sconce-reason";
/** Trailer with the same for programs: google.rpc.Status. */
const DETAILS_KEY = "grpc-status-details-bin";
const PUSHBACK_KEY = "grpc-retry-pushback-ms";
/** Percent-encoded, this stays far below the 8 KiB of headers that the strictest clients take. */
const MAX_MESSAGE_CHARS = 800;

/** The headers that end a call. */
export type Trailers = Readonly<Record<string, string>>;

export const OK_TRAILERS: Trailers = { "grpc-status": "0" };

export function statusNumber(code: ErrorCode): number {
  return GRPC_STATUS_NUMBERS[code];
}

/** The trailers that end a call after `error`: its status and message, its reason, and the wait before a retry. */
export function encodeStatus(error: ServeError): Trailers {
  const message = safeMessage(error.message);
  const trailers: Record<string, string> = {
    "grpc-status": String(GRPC_STATUS_NUMBERS[error.code]),
    "grpc-message": percentEncode(message),
    [REASON_KEY]: error.reason,
  };
  const hintMs = retryHintMs(error);
  const { code, reason } = error;
  const details = statusDetails({ status: GRPC_STATUS_NUMBERS[code], message, reason, retryMs: hintMs });
  if (details !== undefined) trailers[DETAILS_KEY] = details;
  if (hintMs !== undefined) trailers[PUSHBACK_KEY] = String(Math.ceil(hintMs));
  return trailers;
}

/** The message cut to a length that fits a header, without lone surrogates, which UTF-8 cannot have. */
export function safeMessage(message: string): string {
  const cut = message.length > MAX_MESSAGE_CHARS ? `${message.slice(0, MAX_MESSAGE_CHARS)}…` : message;
  return cut.replace(/[\uD800-\uDFFF]/gu, "\uFFFD");
}

/** `grpc-message`: UTF-8, in which everything but printable ASCII, and the percent sign itself, is %XX (gRPC over HTTP/2). */
export function percentEncode(text: string): string {
  return text.replace(/[^ -$&-~]+/gu, (part) => {
    let encoded = "";
    for (const byte of Buffer.from(part)) encoded += `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
    return encoded;
  });
}

const HEX = "0123456789ABCDEF";
