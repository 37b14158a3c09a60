import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import { ServeError } from "../base/errors.ts";
import { gatherAtMost } from "../base/gather-at-most.ts";
import { parseRate } from "./api-keys.ts";
import { expired, invalid, type TokenVerifier } from "./authenticator.ts";
import { type Caller, SCOPES, type Scope } from "./caller.ts";
import { modelRight } from "./model-right.ts";

/** Whose tokens are taken. */
export interface JwtRules {
  readonly issuer: string;
  readonly audience: string;
  /** By the wall clock, in milliseconds. */
  readonly wallNowMs: () => number;
}

/** Finds the key that signed a token. */
export type KeySource = JWTVerifyGetKey;

/** Keys that only the issuer has: a secret that both sides know would let this server make tokens, and whoever reads its files. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
const CLOCKS_DIFFER_S = 30;
const MAX_SUBJECT_CHARS = 200;
const SCOPE_PREFIX = "sconce:";
const FETCH_LIMIT_MS = 5000;
/** How often an unknown key id may lead to another look at the URL, whoever sends it. */
const FETCH_PAUSE_MS = 30_000;
const KEYS_FRESH_MS = 600_000;
/** Thousands of keys. */
const MAX_KEYS_BYTES = 1024 * 1024;

/** Keys from the text of a JWKS file. Throws `invalid_argument`/`bad_key_file`. */
export function localKeys(text: string): KeySource {
  try {
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
  } catch {
    throw new ServeError("invalid_argument", '--jwt-keys: expected a JSON Web Key Set, {"keys": […]}', {
      reason: "bad_key_file",
    });
  }
}

/** Keys that the operator's URL has; fetched when a token needs one, and kept for ten minutes. No token says where to look. */
export function remoteKeys(url: URL): KeySource {
  return createRemoteJWKSet(url, {
    timeoutDuration: FETCH_LIMIT_MS,
    cooldownDuration: FETCH_PAUSE_MS,
    cacheMaxAge: KEYS_FRESH_MS,
    [customFetch]: fetchKeys,
  });
}

/** As `fetch`, but whatever the URL answers with is read up to a limit, and an error of its own is not the token's. */
async function fetchKeys(url: string, options: RequestInit): Promise<Response> {
  const { body, status } = await fetch(url, options);
  if (status !== 200) {
    await body?.cancel();
    throw new errors.JWKSInvalid(`the URL of the keys answers ${status}`);
  }
  const bytes = body === null ? Buffer.alloc(0) : await gatherAtMost(body, MAX_KEYS_BYTES);
  if (bytes === undefined) throw new errors.JWKSInvalid(`more than ${MAX_KEYS_BYTES} bytes of keys`);
  return new Response(new Uint8Array(bytes));
}

/**
 * Verifies tokens of one issuer for one audience. Scopes are the words `sconce:infer`, `sconce:metrics` and `sconce:admin` of the claims `scope` (a text)
 * and `scp` (a list); `sconce_models` lists names of models with `*` (without it: all), `sconce_rate` is such as `100/s`.
 */
export function createJwtVerifier(keys: () => KeySource, rules: JwtRules): TokenVerifier {
  const { issuer, audience, wallNowMs } = rules;
  return async (token) => {
    let payload: JWTPayload;
    try {
      const options = {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ["exp", "sub"],
        clockTolerance: CLOCKS_DIFFER_S,
        currentDate: new Date(wallNowMs()),
      };
      ({ payload } = await jwtVerify(token, keys(), options));
    } catch (thrown) {
      throw failureOf(thrown);
    }
    return callerOf(payload);
  };
}

function failureOf(thrown: unknown): ServeError {
  if (thrown instanceof errors.JWTExpired) return expired();
  const isOurs =
    thrown instanceof errors.JWKSTimeout ||
    thrown instanceof errors.JWKSInvalid ||
    !(thrown instanceof errors.JOSEError);
  if (!isOurs) return invalid();
  return new ServeError("unavailable", "the keys that tokens are verified with cannot be had; try again", {
    reason: "keys_unavailable",
    retryAfterMs: FETCH_LIMIT_MS,
    cause: thrown,
  });
}

/** Claims are their issuer's words: what cannot be understood gives no right. */
function callerOf(claims: JWTPayload): Caller {
  const { sub = "", exp = 0 } = claims;
  if (sub === "" || sub.length > MAX_SUBJECT_CHARS) throw invalid();
  const rate = claims["sconce_rate"];
  const models = claims["sconce_models"];
  try {
    return {
      name: `token of ${sub}`,
      tenant: `jwt:${sub}`,
      scopes: scopesOf(claims),
      models: models === undefined ? undefined : modelRight(texts(models)),
      rate: rate === undefined ? undefined : parseRate(String(rate)),
      expiresAtMs: (exp + CLOCKS_DIFFER_S) * 1000,
    };
  } catch {
    throw invalid();
  }
}

function scopesOf({ scope, scp }: JWTPayload): ReadonlySet<Scope> {
  const words = new Set([...texts(scope), ...texts(scp)]);
  return new Set(SCOPES.filter((known) => words.has(SCOPE_PREFIX + known)));
}

/** A list of texts, or one text with spaces between its words. */
function texts(claim: unknown): string[] {
  if (typeof claim === "string") return claim.split(" ").filter((word) => word !== "");
  return Array.isArray(claim) ? claim.filter((item) => typeof item === "string") : [];
}
