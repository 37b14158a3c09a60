import { ServeError } from "../base/errors.ts";
import { faultCode, faultWords } from "../base/file-fault.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { isLoopback } from "../config/host-address.ts";
import { isAuthenticating } from "../config/safe-binding.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { type ApiKeys, createApiKeys, readKeyFile } from "../gate/api-keys.ts";
import { type Authenticator, createAuthenticator, type TokenVerifier } from "../gate/authenticator.ts";
import { joinKeys, type TokenKind } from "../gate/torchserve-tokens.ts";
import type { OpenTokens } from "./open-tokens.ts";
import { readAccessFile } from "./read-access-file.ts";
import type { Reloadable } from "./reloader.ts";

/** Who knows callers, and what keeps that fresh. */
export interface OpenAuthentication {
  readonly authenticator: Authenticator;
  readonly reloadables: readonly Reloadable[];
  /** Renews one of TorchServe's tokens for whoever holds its API key; resolves with whether they do. Undefined: there are no such tokens. */
  readonly renewToken?:
    | ((authorization: string | undefined, kind: TokenKind) => Promise<boolean>)
    | undefined;
}

const MAX_KEY_FILE_BYTES = 64 * 1024 * 1024;

interface OpenVerifier {
  readonly verify: TokenVerifier;
  /** Where the keys are, if that is a file. */
  readonly path: string | undefined;
  reload(): Promise<void>;
}

/** Undefined: the configuration names no keys. Throws `invalid_argument`/`bad_key_file` or `bad_option`, `failed_precondition`/`unreadable_path`. */
export async function openAuthentication(
  config: ServerConfig,
  { metrics, logger }: { readonly metrics: Metrics; readonly logger: Logger },
): Promise<OpenAuthentication | undefined> {
  if (!isAuthenticating(config)) return undefined;
  for (const words of cautions(config)) logger.warn({}, words);
  const { apiKeys: keyFile, adminToken } = config;
  const tokens = await openTorchserveTokens(config);
  const readKeys = async (): Promise<ApiKeys | undefined> => {
    const own = keyFile && createApiKeys(readKeyFile(await readText("--api-keys", keyFile)));
    if (tokens === undefined || own === undefined || own === "") return own || tokens?.keys();
    return joinKeys(own, tokens.keys());
  };
  const verifier = await openVerifier(config);
  const authenticator = createAuthenticator({
    keys: await readKeys(),
    verifyToken: verifier?.verify,
    adminToken,
    wallNowMs: Date.now,
    onRefused(reason) {
      const help = "Requests whose key or token was missing, unknown or expired.";
      metrics.counter("sconce_authentication_failures_total", help, { reason }).add(1);
    },
  });
  const reloadables: Reloadable[] = [];
  const useKeys = async (): Promise<void> => authenticator.replaceKeys((await readKeys())!);
  if (keyFile !== undefined) reloadables.push({ what: "the API keys", paths: [keyFile], reload: useKeys });
  if (tokens !== undefined) {
    reloadables.push({
      what: "TorchServe's tokens",
      paths: [config.torchserveTokens!],
      async reload() {
        await tokens.reload();
        await useKeys();
      },
    });
  }
  if (verifier?.path !== undefined) {
    reloadables.push({
      what: "the keys of tokens",
      paths: [verifier.path],
      async reload() {
        await verifier.reload();
        authenticator.forget();
      },
    });
  }
  return {
    authenticator,
    reloadables,
    renewToken:
      tokens &&
      (async (authorization, kind) => {
        const isRenewed = await tokens.renew(authorization, kind);
        if (isRenewed) await useKeys();
        return isRenewed;
      }),
  };
}

async function openTorchserveTokens({
  torchserveTokens: path,
  tokenExpirationMs,
}: ServerConfig): Promise<OpenTokens | undefined> {
  if (path === undefined) return undefined;
  return (await import("./open-tokens.ts")).openTokens(path, tokenExpirationMs);
}

function cautions({ host, tlsCert, tenantHeader }: ServerConfig): string[] {
  return [
    ...(tlsCert === undefined && !isLoopback(host)
      ? ["keys and tokens can be read on their way: there is no TLS on the port (--tls-cert)"]
      : []),
    ...(tenantHeader === undefined ? [] : ["--tenant-header has no effect: each key and token is a tenant"]),
  ];
}

async function openVerifier({
  jwtKeys,
  jwtIssuer: issuer,
  jwtAudience: audience,
}: ServerConfig): Promise<OpenVerifier | undefined> {
  if (jwtKeys === undefined) return undefined;
  if (issuer === undefined || audience === undefined) {
    throw badOption(
      "--jwt-keys needs --jwt-issuer and --jwt-audience: a token for somebody else is not for this server",
    );
  }
  const { createJwtVerifier, localKeys, remoteKeys } = await import("../gate/jwt-verifier.ts");
  const isUrl = jwtKeys.includes("://");
  const read = async () =>
    isUrl ? remoteKeys(keysUrl(jwtKeys)) : localKeys(await readText("--jwt-keys", jwtKeys));
  let keys = await read();
  return {
    verify: createJwtVerifier(() => keys, { issuer, audience, wallNowMs: Date.now }),
    path: isUrl ? undefined : jwtKeys,
    async reload() {
      keys = await read();
    },
  };
}

function keysUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname))) return url;
  throw badOption("--jwt-keys: expected a file, or a URL that begins with https://");
}

async function readText(option: string, path: string): Promise<string> {
  try {
    const bytes = await readAccessFile(path, MAX_KEY_FILE_BYTES);
    if (bytes === undefined) throw badOption(`${option}: ${path} is larger than 64 MiB`);
    return bytes.toString("utf8");
  } catch (cause) {
    if (cause instanceof ServeError) throw cause;
    const isMissing = option === "--api-keys" && faultCode(cause) === "ENOENT";
    const advice = isMissing ? `; sconce keys add --api-keys ${path} makes it` : "";
    throw new ServeError("failed_precondition", `${option}: ${path}: ${faultWords(cause)}${advice}`, {
      reason: "unreadable_path",
      cause,
    });
  }
}

function badOption(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_option" });
}
