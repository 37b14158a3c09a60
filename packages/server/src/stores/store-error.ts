import { ServeError } from "../base/errors.ts";
import { faultCode, faultWords } from "../base/file-fault.ts";
import { oneLine } from "../base/printable.ts";

const MAX_TEXT_CHARS = 200;

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was cut",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name cannot be looked up now",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "its host cannot be reached",
  ENETUNREACH: "its network cannot be reached",
  EPIPE: "the connection was cut",
};

/** Of the file system alone; no connection ends with one of them. */
const DISK_CODES: ReadonlySet<string> = new Set([
  "ENOSPC",
  "EDQUOT",
  "EROFS",
  "EACCES",
  "EPERM",
  "EIO",
  "ENOENT",
  "ENOTDIR",
  "EISDIR",
  "ELOOP",
  "EMFILE",
]);

const CERTIFICATE = /certificate|CERT_|self.signed|altname|SSL|TLS/i;

/** That a store cannot be read just now, and may be soon: worth another try. */
export function mayPass(what: string, cause?: unknown): ServeError {
  return new ServeError("unavailable", what, { reason: "store_unavailable", cause });
}

/** That what a store says or holds is not taken, until it is something else. */
export function refused(what: string, cause?: unknown): ServeError {
  return new ServeError("failed_precondition", what, { reason: "store_refused", cause });
}

/** What a status of HTTP means to whoever reads a store. */
export function statusError(status: number): ServeError {
  if (status === 401 || status === 403) {
    return refused(`it answers ${status}: the server's credentials do not let it read there`);
  }
  if (status === 404 || status === 410)
    return refused(`it answers ${status}: there is nothing under this address`);
  if (status === 412) return mayPass("it was replaced while it was read");
  if (status === 408 || status === 429 || status >= 500) return mayPass(`it answers ${status}`);
  return refused(`it answers ${status}`);
}

/** Whether it was thrown because there is nothing under the address. */
export function isNothingThere(thrown: unknown): boolean {
  return storeError(thrown).message === statusError(404).message;
}

/** Anything that was thrown on the way to a store, in words for the operator; never with what a request was signed with. */
export function storeError(thrown: unknown): ServeError {
  if (thrown instanceof ServeError) return thrown;
  const status = statusOf(thrown);
  if (status !== undefined) return statusError(status);
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth += 1) {
    const code = faultCode(error) ?? "";
    if (NETWORK[code] !== undefined) return mayPass(NETWORK[code], thrown);
    if (DISK_CODES.has(code)) return mayPass(`its copy cannot be written here: ${faultWords(error)}`, thrown);
  }
  const text = thrown instanceof Error ? innermost(thrown).message || thrown.name : String(thrown);
  const words = oneLine(text.replace(/\?\S*/g, "?…")).slice(0, MAX_TEXT_CHARS);
  if (CERTIFICATE.test(words))
    return refused(`its certificate is not trusted (${words}): see --store-ca`, thrown);
  return mayPass(words, thrown);
}

function innermost(error: Error): Error {
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner instanceof Error && inner !== error ? inner : error;
}

/** Of an error of an SDK: Amazon's has metadata, Google's a code. */
function statusOf(thrown: unknown): number | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  const { $metadata, code } = thrown as { $metadata?: { httpStatusCode?: number }; code?: unknown };
  const status = $metadata?.httpStatusCode ?? code;
  return typeof status === "number" && status >= 400 && status < 600 ? status : undefined;
}
