import type { ErrorCode, ErrorReason, ServeError } from "../../../base/errors.ts";

/** HTTP status of each error code. 499 is nginx's "client closed request": logged, seldom seen by anybody. */
const STATUS_OF_CODE: Readonly<Record<ErrorCode, number>> = {
  cancelled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

/** Reasons for which HTTP has a status of its own. */
const STATUS_OF_REASON: ReadonlyMap<ErrorReason, number> = new Map([
  ["method_not_allowed", 405],
  ["request_timeout", 408],
  ["body_too_large", 413],
  ["url_too_long", 414],
  ["unsupported_encoding", 415],
  ["unsupported_media_type", 415],
  ["expectation_failed", 417],
  ["upgrade_required", 426],
  ["headers_too_large", 431],
  ["http_version", 505],
]);

export function statusOf(error: Pick<ServeError, "code" | "reason">): number {
  return STATUS_OF_REASON.get(error.reason) ?? STATUS_OF_CODE[error.code];
}
