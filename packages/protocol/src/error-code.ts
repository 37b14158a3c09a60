/** The closed set of error codes: gRPC's canonical codes, in lower case. Tables at the rim map them to HTTP and gRPC. */
export const ERROR_CODES = [
  "cancelled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
] as const;

/** gRPC's status codes but OK, in small letters. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Whether a value is one of the codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && (ERROR_CODES as readonly string[]).includes(value);
}

/** What each code means: the first table of docs/errors.md. */
export const CODE_HELP: Readonly<Record<ErrorCode, string>> = {
  cancelled: "The request was cancelled, usually by its own client.",
  unknown: "Not used by this server.",
  invalid_argument:
    "The request itself is wrong, whatever the state of the server. Do not retry it unchanged.",
  deadline_exceeded: "It took too long. It may have been worked on.",
  not_found: "What the request names does not exist.",
  already_exists: "Not used by this server.",
  permission_denied: "The caller is known and may not.",
  resource_exhausted: "The request exceeds a limit of its caller, such as a size or a quota.",
  failed_precondition: "Not possible in the state the server is in; retrying does not change that.",
  aborted: "Another request got in the way.",
  out_of_range: "Not used by this server.",
  unimplemented: "The method or extension does not exist here.",
  internal: "A fault of the server or of the model. The log has the cause; the response never does.",
  unavailable: "Not now. Retry with back-off, after `Retry-After` where it is given.",
  data_loss: "Not used by this server.",
  unauthenticated: "The request does not say who is asking.",
};
