import { ServeError } from "../base/errors.ts";
import type { ServerConfig } from "./server-options.ts";

/** What `--cache-store` says. */
export interface CacheStoreAddress {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Without what is secret, for the log. */
  readonly shown: string;
}

const FLAG = "--cache-store";
const DEFAULT_PORT = 6379;
const SCHEMES: ReadonlySet<string> = new Set(["redis:", "rediss:", "valkey:", "valkeys:"]);

/** Undefined: answers are not shared. Throws `invalid_argument`/`bad_option`, without the value: it may hold a password. */
export function cacheStoreAddressOf({
  cacheStore,
}: Pick<ServerConfig, "cacheStore">): CacheStoreAddress | undefined {
  if (cacheStore === undefined) return undefined;
  const url = URL.canParse(cacheStore) ? new URL(cacheStore) : undefined;
  const database = url === undefined ? null : /^(?:\/(\d{1,5})?)?$/.exec(url.pathname);
  if (url === undefined || !SCHEMES.has(url.protocol) || url.hostname === "" || database === null) {
    throw bad("expected an address such as redis://localhost:6379/0, or rediss:// with TLS");
  }
  if (url.search !== "" || url.hash !== "")
    throw bad("expected an address without ? and #; --cache-store-timeout and its like are options");
  const isTls = url.protocol === "rediss:" || url.protocol === "valkeys:";
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return {
    host,
    port,
    database: Number(database[1] ?? 0),
    isTls,
    username: part(url.username),
    password: part(url.password),
    shown: `${isTls ? "rediss" : "redis"}://${url.hostname}:${port}/${database[1] ?? 0}`,
  };
}

/** Throws `invalid_argument`/`bad_option` for a password among the flags, which process lists show. */
export function rejectPasswordInFlags(flags: ReadonlyMap<string, unknown>): void {
  const given = flags.get(FLAG);
  if (typeof given !== "string" || !/\/\/[^@]*:[^@]*@/.test(given)) return;
  throw bad(
    "a password shows in process lists; give it by --cache-store-password-file, or the whole address as SCONCE_CACHE_STORE",
  );
}

function part(text: string): string | undefined {
  if (text === "") return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad("its user or password has a % that is none of a URL: write %25");
  }
}

function bad(message: string): ServeError {
  return new ServeError("invalid_argument", `${FLAG}: ${message}`, { reason: "bad_option" });
}
