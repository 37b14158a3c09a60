import {
  type ErrorCode,
  type ErrorReason,
  isErrorReason,
  ServeError,
  type ServeErrorOptions,
} from "@sconce/protocol";

/** Where an error comes from. */
export interface CallTrace {
  /** The endpoint that was asked last. */
  readonly endpoint: string;
  /** HTTP status; undefined: no response came. */
  readonly status?: number | undefined;
  /** The server's id of the request, under which its log has more. */
  readonly requestId?: string | undefined;
}

/** A call that failed: what the server said, or why no answer came. `code` and `reason` are those of the server's table of errors. */
export class ClientError extends ServeError {
  readonly endpoint: string;
  readonly status: number | undefined;
  readonly requestId: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    { trace, ...options }: ServeErrorOptions & { readonly trace: CallTrace },
  ) {
    super(...([code, message, options] as ConstructorParameters<typeof ServeError>));
    this.endpoint = trace.endpoint;
    this.status = trace.status;
    this.requestId = trace.requestId;
  }
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: "invalid_argument",
  401: "unauthenticated",
  403: "permission_denied",
  404: "not_found",
  405: "invalid_argument",
  408: "deadline_exceeded",
  409: "aborted",
  413: "resource_exhausted",
  414: "invalid_argument",
  415: "invalid_argument",
  429: "resource_exhausted",
  431: "resource_exhausted",
  499: "cancelled",
  501: "unimplemented",
  502: "unavailable",
  503: "unavailable",
  504: "deadline_exceeded",
};
const MAX_MESSAGE_CHARS = 2_000;

/** The error that a response with another status than 200 tells, whoever wrote it: a proxy's page becomes a sentence. */
export function responseError(response: Response, body: string, endpoint: string): ClientError {
  const { error, reason } = readBody(body);
  const code = CODE_OF_STATUS[response.status] ?? (response.status < 500 ? "invalid_argument" : "internal");
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new ClientError(code, error ?? `${endpoint} answered with status ${response.status}`, {
    ...(reason !== undefined && { reason }),
    ...(seconds >= 0 && { retryAfterMs: seconds * 1000 }),
    trace: {
      endpoint,
      status: response.status,
      requestId: response.headers.get("x-request-id") ?? undefined,
    },
  });
}

function readBody(body: string): { readonly error?: string; readonly reason?: ErrorReason } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return {};
  }
  if (typeof parsed !== "object" || parsed === null) return {};
  const { error, reason } = parsed as { readonly error?: unknown; readonly reason?: unknown };
  return {
    ...(typeof error === "string" && { error: error.slice(0, MAX_MESSAGE_CHARS) }),
    ...(isErrorReason(reason) && { reason }),
  };
}
