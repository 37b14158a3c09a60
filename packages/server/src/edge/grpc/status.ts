import { Metadata } from "@grpc/grpc-js";
import type { ErrorCode, ServeError } from "../../base/errors.ts";
import { retryHintMs } from "../retry-hint.ts";

/** gRPC status numbers of our codes (gRPC "Status codes and their use"). */
const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  cancelled: 1,
  unknown: 2,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  aborted: 10,
  out_of_range: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
};

/** Trailer with the stable word for an error's cause. */
export const REASON_KEY = "sconce-reason";
const PUSHBACK_KEY = "grpc-retry-pushback-ms";
/** Percent-encoded, this stays far below the 8 KiB of headers that the strictest clients take. */
const MAX_MESSAGE_CHARS = 800;

export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

export function statusNumber(code: ErrorCode): number {
  return STATUS_OF[code];
}

/** The status that ends a call after `error`, with its reason and the wait before a retry as trailers. */
export function statusOf(error: ServeError): GrpcStatus {
  const metadata = new Metadata();
  metadata.set(REASON_KEY, error.reason);
  const hintMs = retryHintMs(error);
  if (hintMs !== undefined) metadata.set(PUSHBACK_KEY, String(Math.ceil(hintMs)));
  return { code: STATUS_OF[error.code], details: safeMessage(error.message), metadata };
}

/** The message cut to a length that fits a header, without lone surrogates, which grpc-js cannot encode. */
export function safeMessage(message: string): string {
  const cut = message.length > MAX_MESSAGE_CHARS ? `${message.slice(0, MAX_MESSAGE_CHARS)}…` : message;
  return cut.replace(/[\uD800-\uDFFF]/gu, "\uFFFD");
}
