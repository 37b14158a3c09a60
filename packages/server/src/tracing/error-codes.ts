import type { ErrorCode } from "../base/errors.ts";
import type { TracedEnd } from "../base/timeline.ts";

/** gRPC's status numbers ("Status codes and their use"). */
const GRPC_CODES: Readonly<Record<ErrorCode | "ok", number>> = {
  ok: 0,
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

/** Of gRPC's server spans these are errors; the others are the client's doing (OpenTelemetry's conventions for gRPC). */
const SERVER_FAULTS: ReadonlySet<string> = new Set([
  "unknown",
  "deadline_exceeded",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
]);
const FIRST_SERVER_FAULT = 500;

export function grpcCode(code: ErrorCode | "ok"): number {
  return GRPC_CODES[code];
}

/** Whether a server span is an error. What a client did wrong is none: over HTTP every status below 500. */
export function isServersFault(protocol: "rest" | "grpc", { code, httpStatus }: TracedEnd): boolean {
  if (protocol === "rest" && httpStatus !== undefined) return httpStatus >= FIRST_SERVER_FAULT;
  return SERVER_FAULTS.has(code);
}
