import { readFile } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { faultWords } from "../base/file-fault.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { type CacheStoreAddress, cacheStoreAddressOf } from "../config/cache-store-address.ts";
import { isLoopback } from "../config/host-address.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { RedisTls } from "../infer/cache/redis-connection.ts";
import type { StoreConnection } from "../infer/cache/store-connection.ts";
import { peerPackage } from "../stores/peer-package.ts";
import type { CacheSharing } from "./cache-sharing.ts";

type CacheStoreConfig = Pick<
  ServerConfig,
  | "cacheStore"
  | "cacheStorePasswordFile"
  | "cacheStoreSecretFile"
  | "cacheStoreCa"
  | "cacheStoreCert"
  | "cacheStoreKey"
>;

export interface CacheStoreParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly random: () => number;
}

/** How the cache store is reached: what the options and their files say. */
export interface CacheStoreAccess {
  readonly address: CacheStoreAddress;
  readonly hasPassword: boolean;
  /** Answers are sealed with it. */
  readonly secret: Buffer | undefined;
  /** Connects once, with the password of that moment. */
  connect(signal: AbortSignal): Promise<StoreConnection>;
}

const MIN_SECRET_CHARACTERS = 32;
const MAX_FILE_BYTES = 1024 * 1024;

/** What shares answers through the cache store, where one is named; undefined otherwise, and nothing is loaded. It does not connect yet. Rejects as `cacheStoreAccess` does. */
export async function openCacheStore(
  config: ServerConfig,
  parts: CacheStoreParts,
): Promise<CacheSharing | undefined> {
  const access = await cacheStoreAccess(config);
  if (access === undefined) return undefined;
  const { address, hasPassword } = access;
  if (!address.isTls && !isLoopback(address.host)) {
    const what = hasPassword ? "answers and the password" : "answers";
    parts.logger.warn({}, `${what} can be read on their way to the cache store: rediss:// encrypts them`);
  }
  const { createCacheSharing } = await import("./cache-sharing.ts");
  return createCacheSharing({
    ...parts,
    logger: parts.logger.child({ cacheStore: address.shown }),
    connect: access.connect,
    timeoutMs: config.cacheStoreTimeoutMs,
    maxValueBytes: config.cacheStoreMaxValueBytes,
    secret: access.secret,
  });
}

/**
 * Reads what the options say of the cache store; undefined: none is named. Rejects with `invalid_argument`/`bad_option`, `failed_precondition`/`no_store_client`, or
 * `failed_precondition`/`unreadable_path` for a file that an option names.
 */
export async function cacheStoreAccess(config: CacheStoreConfig): Promise<CacheStoreAccess | undefined> {
  const address = cacheStoreAddressOf(config);
  if (address === undefined) return undefined;
  const { cacheStorePasswordFile } = config;
  const readPassword = async (): Promise<string | undefined> => {
    if (cacheStorePasswordFile === undefined) return address.password;
    const file = await read("--cache-store-password-file", cacheStorePasswordFile);
    return file?.toString("utf8").replace(/\r?\n$/, "");
  };
  const tls = await readTls(address, config);
  const secret = await readSecret(config.cacheStoreSecretFile);
  const password = await readPassword();
  const library = await peerPackage(
    "@redis/client",
    () => import("@redis/client"),
    "what --cache-store names is asked",
  );
  const { connectRedis } = await import("../infer/cache/redis-connection.ts");
  return {
    address,
    hasPassword: password !== undefined,
    secret,
    connect: async (signal) =>
      connectRedis(library, { ...address, tls, password: await readPassword() }, { signal }),
  };
}

async function readTls(
  { isTls }: CacheStoreAddress,
  { cacheStoreCa, cacheStoreCert, cacheStoreKey }: CacheStoreConfig,
): Promise<RedisTls | undefined> {
  if ((cacheStoreCert === undefined) !== (cacheStoreKey === undefined))
    throw badOption("--cache-store-cert and --cache-store-key go together");
  if (!isTls) {
    if (cacheStoreCa === undefined && cacheStoreCert === undefined) return undefined;
    throw badOption("--cache-store-ca and --cache-store-cert need --cache-store rediss://");
  }
  return {
    ca: await read("--cache-store-ca", cacheStoreCa),
    cert: await read("--cache-store-cert", cacheStoreCert),
    key: await read("--cache-store-key", cacheStoreKey),
  };
}

async function readSecret(path: string | undefined): Promise<Buffer | undefined> {
  const secret = (await read("--cache-store-secret-file", path))?.toString("utf8").trim();
  if (secret === undefined) return undefined;
  if (secret.length >= MIN_SECRET_CHARACTERS) return Buffer.from(secret, "utf8");
  throw badOption(
    `--cache-store-secret-file: expected ${MIN_SECRET_CHARACTERS} characters at least, such as openssl rand -hex 32 makes`,
  );
}

async function read(option: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (cause) {
    throw unreadable(`${option}: ${path} ${faultWords(cause)}`, cause);
  }
  if (content.length > MAX_FILE_BYTES) throw unreadable(`${option}: ${path} is larger than 1 MiB`);
  return content;
}

function unreadable(message: string, cause?: unknown): ServeError {
  return new ServeError("failed_precondition", message, { reason: "unreadable_path", cause });
}

function badOption(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_option" });
}
