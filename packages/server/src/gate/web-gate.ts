import { isIPv4, isIPv6 } from "node:net";
import { ServeError } from "../base/errors.ts";

export interface WebGateOptions {
  /** The address that is listened on, without brackets. */
  readonly boundHost: string;
  /** Only this machine can reach it, and so can every web page that it shows. */
  readonly isLoopback: boolean;
  /** Origins of web pages that may use the server (`https://app.example.com`); `*`: all. */
  readonly corsOrigins: readonly string[];
  /** Further names under which the server is reached; `*.example.com`: every name below; `*`: all. */
  readonly allowedHosts: readonly string[];
}

/**
 * Keeps web pages from driving a server that only their reader's machine can reach. A browser sends a page's request without asking when it
 * looks like a form's, and to a name that suddenly means 127.0.0.1 (DNS rebinding) with the page's own origin; but it always says where the
 * page is from, and which name it asked for.
 */
export interface WebGate {
  /** Why a request that names this host and comes from a page of this origin is rejected, whatever it asks for. */
  check(host: string | undefined, origin: string | undefined): ServeError | undefined;
  /** What lets a page of this origin read the response: header names and values in turn. The array is shared; do not change it. */
  responseHeaders(origin: string | undefined): readonly string[];
}

/** What pages may read of a response, beside its body; `Trailer-…` is where Connect has what gRPC sends behind a message. */
const EXPOSED =
  "Inference-Header-Content-Length, Retry-After, Server-Timing, X-Request-Id, " +
  "Trailer-Grpc-Retry-Pushback-Ms, Trailer-Sconce-Reason, Trailer-Server-Timing";
const NO_HEADERS: readonly string[] = [];
const VARY: readonly string[] = ["Vary", "Origin"];
const MAX_SHOWN = 255;

/** Throws `invalid_argument` for an option that cannot be read. */
export function createWebGate(options: WebGateOptions): WebGate {
  const isOurHost = hostCheck(options);
  const isOurOrigin = originCheck(options.corsOrigins);
  const toAll = options.corsOrigins.includes("*");
  const hasOrigins = options.corsOrigins.length > 0;
  /** The host that was asked for last; clients ask for the same one again and again. */
  let known: string | undefined;
  return {
    check(host, origin) {
      if (host !== known && host !== undefined) {
        if (!isOurHost(host)) return foreignHost(host);
        known = host;
      }
      if (origin === undefined || isOurOrigin(origin) || isSameOrigin(origin, host)) return undefined;
      return foreignOrigin(origin);
    },
    responseHeaders(origin) {
      if (!hasOrigins) return NO_HEADERS;
      if (toAll) {
        if (origin === undefined) return NO_HEADERS;
        return ["Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", EXPOSED];
      }
      if (origin === undefined || !isOurOrigin(origin)) return VARY;
      return [
        ...VARY,
        "Access-Control-Allow-Origin",
        origin,
        "Access-Control-Allow-Credentials",
        "true",
        "Access-Control-Expose-Headers",
        EXPOSED,
      ];
    },
  };
}

function hostCheck(options: WebGateOptions): (host: string) => boolean {
  const { isLoopback, allowedHosts } = options;
  // Behind a public address any name may be right: nobody told us which.
  if (allowedHosts.includes("*") || (!isLoopback && allowedHosts.length === 0)) return () => true;
  const names = new Set([options.boundHost.toLowerCase()]);
  const suffixes: string[] = [];
  for (const allowed of allowedHosts.map(checkAllowedHost)) {
    if (allowed.startsWith("*")) suffixes.push(allowed.slice(1));
    else names.add(allowed);
  }
  return (host) => {
    const name = hostName(host);
    if (names.has(name) || isLocalName(name) || suffixes.some((suffix) => name.endsWith(suffix))) return true;
    // No page can make an address mean another one. Kubernetes probes by address.
    return !isLoopback && (isIPv4(name) || isIPv6(name));
  };
}

/** `Host` without port, brackets and the dot that may end a full name, in lower case. */
function hostName(host: string): string {
  if (host.startsWith("[")) return host.slice(1, Math.max(1, host.indexOf("]"))).toLowerCase();
  const colon = host.indexOf(":");
  const name = (colon < 0 ? host : host.slice(0, colon)).toLowerCase();
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

/** Names that mean this machine wherever they are asked for (RFC 6761 §6.3). */
function isLocalName(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
  return name.startsWith("127.") && isIPv4(name);
}

function originCheck(corsOrigins: readonly string[]): (origin: string) => boolean {
  if (corsOrigins.includes("*")) return () => true;
  const origins = new Set(corsOrigins.map(checkCorsOrigin));
  return (origin) => origins.has(origin);
}

/** The server's own page, here or behind a proxy that ends TLS. */
function isSameOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined) return false;
  const own = host.toLowerCase();
  return origin === `http://${own}` || origin === `https://${own}`;
}

function checkAllowedHost(option: string): string {
  const name = option.toLowerCase();
  if (isIPv4(name) || isIPv6(name) || /^(\*\.)?[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9])?$/.test(name))
    return name;
  throw badOption(
    "--allowed-hosts: expected names without ports, such as models.example.com or *.example.com",
  );
}

/** An origin as browsers spell it (RFC 6454 §6.1). */
function checkCorsOrigin(option: string): string {
  if (/^https?:\/\//i.test(option) && URL.canParse(option)) {
    const { origin, pathname, search, hash, username } = new URL(option);
    if (pathname === "/" && !option.endsWith("/") && `${search}${hash}${username}` === "") return origin;
  } else if (/^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._~:[\]-]+$/.test(option) && !/^https?:/.test(option))
    return option;
  throw badOption(
    "--cors-origins: expected origins such as https://app.example.com or http://localhost:3000, or *",
  );
}

function badOption(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_option" });
}

function foreignHost(host: string): ServeError {
  const name = hostName(host).slice(0, MAX_SHOWN);
  return new ServeError(
    "permission_denied",
    `this server is not known as ${JSON.stringify(name)}; if it should be, start it with --allowed-hosts ${name}`,
    { reason: "foreign_host" },
  );
}

function foreignOrigin(origin: string): ServeError {
  const shown = origin.slice(0, MAX_SHOWN);
  return new ServeError(
    "permission_denied",
    `web pages from ${JSON.stringify(shown)} may not use this server; if they should, start it with --cors-origins ${shown}`,
    { reason: "foreign_origin" },
  );
}

/** Lets in whatever name a request has, and pages of the server's own origin only. For edges without an address of their own. */
export const NO_ADDRESS: WebGateOptions = {
  boundHost: "",
  isLoopback: false,
  corsOrigins: [],
  allowedHosts: [],
};
