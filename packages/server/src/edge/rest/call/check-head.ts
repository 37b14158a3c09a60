import { ServeError } from "../../../base/errors.ts";
import type { RestLimits } from "../../rest-limits.ts";

/** A request line and headers, as Node's parser gives them. */
export interface HttpHead {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly headers: {
    readonly host?: string | undefined;
    readonly expect?: string | undefined;
  };
}

/** A host and a port as RFC 3986 spells them, without user name. */
const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~%!$&'()*+,;=-]{1,255})(?::[0-9]{0,5})?$/;

/** What is wrong with a request line and headers, whatever they ask for. */
export function checkHead(
  head: HttpHead,
  { maxUrlBytes, maxHeaders }: Pick<RestLimits, "maxUrlBytes" | "maxHeaders">,
): ServeError | undefined {
  if (head.httpVersion !== "1.1" && head.httpVersion !== "1.0") return unknownVersion();
  if ((head.url?.length ?? 0) > maxUrlBytes) {
    return new ServeError("invalid_argument", `the URL is longer than ${maxUrlBytes} bytes`, {
      reason: "url_too_long",
    });
  }
  if (head.rawHeaders.length > maxHeaders * 2) {
    return new ServeError("resource_exhausted", `the request has more than ${maxHeaders} headers`, {
      reason: "headers_too_large",
    });
  }
  return checkHost(head);
}

/** RFC 9112 §3.2: a proxy in front that reads another one of two hosts would send the request somewhere else. */
function checkHost({ httpVersion, rawHeaders, headers: { host } }: HttpHead): ServeError | undefined {
  if (host === undefined) {
    return httpVersion === "1.0"
      ? undefined
      : badHttp("the request has no Host header, which HTTP/1.1 requires");
  }
  if (!AUTHORITY.test(host)) return badHttp("the Host header is not the name or address of a host");
  return isRepeated(rawHeaders, "host") ? badHttp("the request has two Host headers") : undefined;
}

function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let found = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const other = rawHeaders[i]!;
    if (other.length === name.length && other.toLowerCase() === name) found++;
  }
  return found > 1;
}

/** Whether a client waits for permission to send its body. HTTP/1.0 knows no interim response (RFC 9110 §10.1.1). */
export function expectsContinue({
  httpVersion,
  headers,
}: Pick<HttpHead, "httpVersion" | "headers">): boolean {
  return headers.expect !== undefined && httpVersion === "1.1";
}

export function unknownVersion(): ServeError {
  return new ServeError("unimplemented", "this server speaks HTTP/1.1, HTTP/1.0 and gRPC over HTTP/2", {
    reason: "http_version",
  });
}

function badHttp(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_http" });
}
