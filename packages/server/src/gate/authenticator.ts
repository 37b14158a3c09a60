import { createHash, timingSafeEqual } from "node:crypto";
import { ServeError } from "../base/errors.ts";
import { type ApiKeys, looksLikeKey } from "./api-keys.ts";
import { type Caller, type CallerRate, type Need, SCOPES, STRANGER } from "./caller.ts";

/** Finds out who asks. */
export interface Authenticator {
  /**
   * Whose `Authorization` header this is (`Bearer <key or token>`). A promise only for a token that was not verified a moment ago. Throws, or
   * rejects with, `unauthenticated` (`missing_token`, `invalid_token`, `token_expired`) or `unavailable`.
   */
  identify(authorization: string | undefined): Caller | Promise<Caller>;
  /** What a tenant that is a caller of ours may send; undefined: what holds for every tenant. */
  rateOf(tenant: string): CallerRate | undefined;
}

/** Verifies JSON Web Tokens. Rejects as `identify` does. */
export type TokenVerifier = (token: string) => Promise<Caller>;

export interface AuthenticatorOptions {
  /** Undefined: there are none. */
  readonly keys?: ApiKeys | undefined;
  /** Undefined: tokens are not taken. */
  readonly verifyToken?: TokenVerifier | undefined;
  /** May do everything; undefined: there is none. */
  readonly adminToken?: string | undefined;
  /** Milliseconds by the wall clock, which expiry goes by. */
  readonly wallNowMs: () => number;
  /** Told of each that is refused. */
  onRefused?(reason: string): void;
}

/** An authenticator whose keys may change. */
export interface ReloadableAuthenticator extends Authenticator {
  /** From the next request on these keys are right, and no others. */
  replaceKeys(keys: ApiKeys): void;
  /** Verifies every token anew. */
  forget(): void;
}

const BEARER = /^Bearer +([!-~]{1,8192})$/i;
/** Characters of the headers whose callers are remembered. */
const MOST_REMEMBERED_CHARS = 4 * 1024 * 1024;
/** How long a verified token is taken without another look: after that, a key that its issuer withdrew counts. */
const REMEMBERED_MS = 300_000;
/** Tokens that are being verified, which costs much more than to send them. */
const MOST_VERIFYING = 256;
const MOST_RATES = 10_000;

interface Remembered {
  readonly caller: Caller;
  readonly untilMs: number;
}

/**
 * Looks keys and tokens up once and remembers whose they are by the whole header: only who sent the same one before is known again. What is wrong is
 * never remembered, so that nobody can push others out by guessing.
 */
export function createAuthenticator(options: AuthenticatorOptions): ReloadableAuthenticator {
  const { verifyToken, adminToken, wallNowMs } = options;
  let { keys } = options;
  const admin = adminToken === undefined || adminToken === "" ? undefined : digest(adminToken);
  const remembered = new Map<string, Remembered>();
  const verifying = new Map<string, Promise<Caller>>();
  let rates = ratesOf(keys);
  let chars = 0;
  /** Counts changes of keys: what was found out before one is worth nothing after it. */
  let epoch = 0;

  const forget = (): void => {
    epoch += 1;
    remembered.clear();
    chars = 0;
  };
  const remember = (authorization: string, caller: Caller, untilMs: number): Caller => {
    // A copy: the header is a piece of a request's head, which would live as long.
    const header = Buffer.from(authorization, "latin1").toString("latin1");
    remembered.set(header, { caller, untilMs });
    chars += header.length;
    for (const oldest of remembered.keys()) {
      if (chars <= MOST_REMEMBERED_CHARS) break;
      remembered.delete(oldest);
      chars -= oldest.length;
    }
    return caller;
  };
  const refuse = (error: ServeError): ServeError => {
    options.onRefused?.(error.reason);
    return error;
  };
  const verify = (authorization: string, token: string, check: TokenVerifier): Promise<Caller> => {
    const running = verifying.get(authorization);
    if (running !== undefined) return running;
    if (verifying.size >= MOST_VERIFYING) throw refuse(busy());
    const begun = epoch;
    const work = check(token)
      .then(
        (caller) => {
          if (caller.rate !== undefined) keepRate(rates, caller);
          const untilMs = Math.min(caller.expiresAtMs, wallNowMs() + REMEMBERED_MS);
          return epoch === begun ? remember(authorization, caller, untilMs) : caller;
        },
        (thrown: unknown) => {
          throw refuse(ServeError.from(thrown));
        },
      )
      .finally(() => verifying.delete(authorization));
    verifying.set(authorization, work);
    return work;
  };
  const find = (authorization: string, token: string): Caller | Promise<Caller> => {
    // Both are asked before one of them is believed: the time says nothing of which it was.
    const isAdmin = admin !== undefined && timingSafeEqual(digest(token), admin);
    const known = keys?.find(token);
    if (isAdmin) return remember(authorization, ADMINISTRATOR, Number.POSITIVE_INFINITY);
    if (known !== undefined) {
      if (known.expiresAtMs <= wallNowMs()) throw refuse(expired());
      return remember(authorization, known, known.expiresAtMs);
    }
    if (verifyToken === undefined || looksLikeKey(token)) throw refuse(invalid());
    return verify(authorization, token, verifyToken);
  };

  return {
    identify(authorization) {
      const known = authorization === undefined ? undefined : remembered.get(authorization);
      if (known !== undefined) {
        if (known.untilMs === Number.POSITIVE_INFINITY || known.untilMs > wallNowMs()) return known.caller;
        remembered.delete(authorization!);
        chars -= authorization!.length;
      }
      const token = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
      if (token === undefined) throw refuse(missing());
      return find(authorization!, token);
    },
    rateOf: (tenant) => rates.get(tenant),
    replaceKeys(next) {
      keys = next;
      rates = ratesOf(next);
      forget();
    },
    forget,
  };
}

/** Whoever holds `--admin-token`. */
const ADMINISTRATOR: Caller = {
  name: "the administrator",
  tenant: "admin",
  scopes: new Set(SCOPES),
  models: undefined,
  rate: undefined,
  expiresAtMs: Number.POSITIVE_INFINITY,
};

/** Who asks for something that needs this. What needs nothing is for strangers as well, whatever is wrong with their credentials. */
export function callerFor(
  authenticator: Authenticator,
  authorization: string | undefined,
  need: Need,
): Caller | Promise<Caller> {
  if (need !== "nothing") return authenticator.identify(authorization);
  if (authorization === undefined) return STRANGER;
  try {
    const caller = authenticator.identify(authorization);
    return caller instanceof Promise ? caller.catch(() => STRANGER) : caller;
  } catch {
    return STRANGER;
  }
}

/** Throws `permission_denied`/`missing_scope`. */
export function checkScope(caller: Caller, need: Need): void {
  if (need === "nothing" || caller.scopes.has(need)) return;
  throw new ServeError(
    "permission_denied",
    `this needs the scope ${need}, which ${caller.name} does not have`,
    {
      reason: "missing_scope",
    },
  );
}

/** What is thrown for a model that a caller may not use, whether or not there is one. */
export function notPermitted(): ServeError {
  return new ServeError(
    "permission_denied",
    "these credentials are not for a model of this name, if there is one; GET /v2/models lists those that they are for",
    { reason: "model_not_permitted" },
  );
}

export function expired(): ServeError {
  return new ServeError("unauthenticated", "this key or token has expired", { reason: "token_expired" });
}

export function invalid(): ServeError {
  return new ServeError("unauthenticated", "this key or token is not known here", {
    reason: "invalid_token",
  });
}

function missing(): ServeError {
  return new ServeError(
    "unauthenticated",
    "this needs a key or token: send the header Authorization: Bearer <key>",
    {
      reason: "missing_token",
    },
  );
}

function busy(): ServeError {
  return new ServeError("unavailable", "too many tokens are being verified; try again in a moment", {
    reason: "verification_busy",
    retryAfterMs: 1000,
  });
}

function ratesOf(keys: ApiKeys | undefined): Map<string, CallerRate> {
  const rates = new Map<string, CallerRate>();
  for (const { tenant, rate } of keys?.callers ?? []) if (rate !== undefined) rates.set(tenant, rate);
  return rates;
}

/** Tokens come from whoever their issuer knows: the oldest rate gives way, and its tenant has the one of every tenant until it asks again. */
function keepRate(rates: Map<string, CallerRate>, { tenant, rate }: Caller): void {
  rates.delete(tenant);
  if (rate !== undefined) rates.set(tenant, rate);
  if (rates.size > MOST_RATES)
    for (const oldest of rates.keys())
      if (oldest.startsWith("jwt:")) {
        rates.delete(oldest);
        break;
      }
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token, "utf8").digest();
}
