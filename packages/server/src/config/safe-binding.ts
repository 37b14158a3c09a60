import { ServeError } from "../base/errors.ts";
import { parseHealthAddress } from "./health-address.ts";
import { isLoopback } from "./host-address.ts";
import type { ServerConfig } from "./server-options.ts";

const LEAST_TOKEN_CHARS = 16;

/**
 * Rejects to start in a way that is open to a network by mistake: a public address without TLS, authentication or `--insecure`,
 * or load and unload over the network without a token. Throws `failed_precondition` with what to change.
 */
export function checkSafeBinding(config: ServerConfig): void {
  const { host, healthAddress, insecure, tlsCert, compat, torchserveHosts } = config;
  const isGuarded = tlsCert !== undefined || isAuthenticating(config);
  const hosts = [
    ["--host", host],
    ["--health-address", healthAddress === undefined ? host : parseHealthAddress(healthAddress).host],
    ...(compat === "torchserve" ? torchserveHosts : []).map((one) => ["--torchserve-hosts", one] as const),
  ] as const;
  const open = hosts.find(([, address]) => !isLoopback(address));
  if (open !== undefined && !insecure && !isGuarded) {
    throw new ServeError(
      "failed_precondition",
      `${open.join(" ")} is reachable from other machines, without TLS and authentication. Give it a certificate (--tls-cert, --tls-key) and keys (--api-keys), keep 127.0.0.1 behind a proxy, or add --insecure if the network itself is trusted`,
      { reason: "unsafe_binding" },
    );
  }
  checkAdminToken(config);
}

/** A key with the scope admin does as well; a token that is set is guessed by whoever can send requests, whether it is needed or not. */
function checkAdminToken(config: ServerConfig): void {
  const { modelControl, adminToken } = config;
  const isNeeded = modelControl === "explicit" && !isAuthenticating(config);
  const isUsed = adminToken !== undefined;
  if ((isNeeded || isUsed) && (adminToken ?? "").length < LEAST_TOKEN_CHARS) {
    throw new ServeError(
      "failed_precondition",
      `${isNeeded ? "--model-control explicit needs an admin token" : "--admin-token: expected a token"} of at least ${LEAST_TOKEN_CHARS} characters: set SCONCE_ADMIN_TOKEN`,
      { reason: "missing_admin_token" },
    );
  }
}

/** Whether the server asks who its callers are. */
export function isAuthenticating({
  apiKeys,
  jwtKeys,
  torchserveTokens,
}: Pick<ServerConfig, "apiKeys" | "jwtKeys" | "torchserveTokens">): boolean {
  return apiKeys !== undefined || jwtKeys !== undefined || torchserveTokens !== undefined;
}
