import { type ErrorCode, ServeError } from "../../../base/errors.ts";
import type { ErrorResponse } from "../call/error-response.ts";

/** Codes of the Connect protocol by gRPC's status numbers, and the HTTP statuses that go with them. */
const CODES: ReadonlyArray<readonly [code: string, status: number]> = [
  ["unknown", 500], // 0 is no error
  ["canceled", 499],
  ["unknown", 500],
  ["invalid_argument", 400],
  ["deadline_exceeded", 504],
  ["not_found", 404],
  ["already_exists", 409],
  ["permission_denied", 403],
  ["resource_exhausted", 429],
  ["failed_precondition", 400],
  ["aborted", 409],
  ["out_of_range", 400],
  ["unimplemented", 501],
  ["internal", 500],
  ["unavailable", 503],
  ["data_loss", 500],
  ["unauthenticated", 401],
];

/** Our codes are spelled as Connect's, but for one. */
function connectCode(code: ErrorCode): string {
  return code === "cancelled" ? "canceled" : code;
}

/** How a call ended, from gRPC's trailers. */
export interface RpcEnd {
  /** gRPC's status number; 0: well. */
  readonly status: number;
  readonly message: string;
  /** RpcTrailers beside the status. */
  readonly metadata: ReadonlyArray<readonly [name: string, value: string]>;
}

export type RpcTrailers = Readonly<Record<string, unknown>>;

export function readEnd(trailers: RpcTrailers): RpcEnd {
  const metadata: [string, string][] = [];
  for (const [name, value] of Object.entries(trailers)) {
    if (name.startsWith(":") || OF_GRPC.has(name)) continue;
    metadata.push([name, String(value)]);
  }
  const message = String(trailers["grpc-message"] ?? "");
  return { status: Number(trailers["grpc-status"]), message: decodeURIComponent(message), metadata };
}

const OF_GRPC: ReadonlySet<string> = new Set([
  "content-type",
  "grpc-status",
  "grpc-message",
  "grpc-accept-encoding",
  "grpc-status-details-bin",
]);

/** gRPC's trailers for an error that gRPC's own code has not seen. */
export function trailersOf(error: ServeError): RpcTrailers {
  const status = CODES.findIndex(([code], i) => i > 0 && code === connectCode(error.code));
  return {
    "grpc-status": String(status),
    "grpc-message": encodeURIComponent(error.message.replace(/[\uD800-\uDFFF]/gu, "\uFFFD")),
    "sconce-reason": error.reason,
  };
}

/** The error object of the Connect protocol, and the status of a response that has nothing else in it. */
export function connectError({ status, message }: Pick<RpcEnd, "status" | "message">): {
  readonly status: number;
  readonly error: { readonly code: string; readonly message: string };
} {
  const [code, http] = CODES[status] ?? CODES[0]!;
  return { status: http, error: { code, message } };
}

/** How errors are spelled that end a call before gRPC's code has it. */
export function spellConnectError(error: ServeError): ErrorResponse {
  // Connect has an own code for what is compressed in a way that is not known.
  const said =
    error.reason === "unsupported_encoding"
      ? ServeError.of("unimplemented", error.message, { reason: error.reason })
      : error;
  const { status, error: spelled } = connectError(readEnd(trailersOf(said)));
  const code = error.reason === "unsupported_media_type" ? 415 : status;
  return { status: code, body: Buffer.from(JSON.stringify(spelled)), retryAfter: undefined };
}
