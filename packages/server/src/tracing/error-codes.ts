import type { ErrorCode } from "../base/errors.ts";
import { GRPC_STATUS_NUMBERS } from "../base/grpc-status-numbers.ts";
import type { TracedEnd } from "../base/timeline.ts";

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
  return code === "ok" ? 0 : GRPC_STATUS_NUMBERS[code];
}

/** Whether a server span is an error. What a client did wrong is none: over HTTP every status below 500. */
export function isServersFault(protocol: "rest" | "grpc", { code, httpStatus }: TracedEnd): boolean {
  if (protocol === "rest" && httpStatus !== undefined) return httpStatus >= FIRST_SERVER_FAULT;
  return SERVER_FAULTS.has(code);
}
