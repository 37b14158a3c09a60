import { ServeError } from "../base/errors.ts";
import type { ServerConfig } from "./server-options.ts";

const DEFAULT_PATH = "/v1/traces";

/** Where traces go; undefined: nowhere. Throws `invalid_argument`/`bad_option`. */
export function tracesEndpointOf({ tracesEndpoint, tracesProtocol }: ServerConfig): URL | undefined {
  if (tracesEndpoint === undefined) return undefined;
  const url = URL.canParse(tracesEndpoint) ? new URL(tracesEndpoint) : undefined;
  if (url !== undefined && (url.username !== "" || url.password !== ""))
    throw bad("--traces-endpoint: expected a URL without a user and password; --traces-headers takes a key");
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw bad(
      `--traces-endpoint: expected a URL such as http://localhost:4318, got ${JSON.stringify(tracesEndpoint.slice(0, 80))}`,
    );
  }
  if (tracesProtocol === "http/protobuf" && url.pathname === "/") url.pathname = DEFAULT_PATH;
  return url;
}

/** `1%` or `0.01` → 0.01. Throws `invalid_argument`/`bad_option`. */
export function traceRatioOf({ traceSampling }: Pick<ServerConfig, "traceSampling">): number {
  const match = /^(\d{1,3}(?:\.\d{1,12})?|\.\d{1,12})(?:e-(\d))?\s?(%?)$/.exec(traceSampling.trim());
  const [, digits, exponent = "0", percent] = match ?? [];
  const ratio = Number(`${digits}e-${exponent}`) / (percent === "%" ? 100 : 1);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw bad(
    `--trace-sampling: expected a part such as 1% or 0.01, from 0% to 100%, got ${JSON.stringify(traceSampling.slice(0, 80))}`,
  );
}

/** Names in lower case. Throws `invalid_argument`/`bad_option` for what cannot be a header. */
export function traceHeadersOf({
  tracesHeaders = {},
}: Pick<ServerConfig, "tracesHeaders">): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(tracesHeaders)) {
    // The value may be a secret.
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/.test(name) || !/^[\t\x20-\x7e]{0,8192}$/.test(value))
      throw bad(`--traces-headers: ${JSON.stringify(name.slice(0, 80))} and its value cannot be a header`);
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function bad(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_option" });
}
