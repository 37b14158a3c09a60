import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { ServeError } from "../base/errors.ts";
import type { ApiKeys } from "./api-keys.ts";
import type { Caller, Scope } from "./caller.ts";

/** What TorchServe's key_file.json holds. */
export interface TokenFile {
  readonly management: Token;
  readonly inference: Token;
  /** With it the others are renewed. */
  readonly api: string;
}

export interface Token {
  readonly key: string;
  readonly expiresAtMs: number;
}

export const TOKEN_KINDS = ["management", "inference"] as const;
export type TokenKind = (typeof TOKEN_KINDS)[number];

const KEY = /^[!-~]{8,4096}$/;
const KEY_BYTES = 18;
const BEARER = /^Bearer\s+(\S{1,4096})$/;
/** As with TorchServe, each is for its own API and no other. */
const SCOPES: Readonly<Record<TokenKind, Scope>> = { management: "admin", inference: "infer" };

export interface TokenMakers {
  /** By the wall clock. */
  readonly nowMs: number;
  readonly expirationMs: number;
  readonly random?: (size: number) => Buffer;
}

/** A file in which the named tokens, or all, are new. Without one before, the API key is new as well. */
export function makeTokens(
  before: TokenFile | undefined,
  kinds: readonly TokenKind[],
  { nowMs, expirationMs, random = randomBytes }: TokenMakers,
): TokenFile {
  const key = (): string => random(KEY_BYTES).toString("base64url");
  const made = (kind: TokenKind): Token =>
    before === undefined || kinds.includes(kind)
      ? { key: key(), expiresAtMs: nowMs + expirationMs }
      : before[kind];
  return { management: made("management"), inference: made("inference"), api: before?.api ?? key() };
}

/** Throws `invalid_argument`/`bad_key_file` that names the field; never with what the file holds. */
export function parseTokens(text: string): TokenFile {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    throw bad("it is not JSON");
  }
  const part = (name: string): Readonly<Record<string, unknown>> => {
    const found =
      typeof said === "object" && said !== null ? (said as Record<string, unknown>)[name] : undefined;
    if (typeof found === "object" && found !== null) return found as Readonly<Record<string, unknown>>;
    throw bad(`it has no ${name}`);
  };
  const key = (name: string): string => {
    const found = part(name)["key"];
    if (typeof found === "string" && KEY.test(found)) return found;
    throw bad(`${name}.key must have 8 characters or more`);
  };
  const token = (name: TokenKind): Token => {
    const expiresAtMs = Date.parse(String(part(name)["expiration time"]));
    if (Number.isNaN(expiresAtMs))
      throw bad(`${name}: expiration time must be a time such as 2027-01-31T00:00:00Z`);
    return { key: key(name), expiresAtMs };
  };
  const file: TokenFile = { management: token("management"), inference: token("inference"), api: key("API") };
  // Whoever may ask a model could change models, or make tokens, with one that is two things.
  if (new Set([file.management.key, file.inference.key, file.api]).size < 3)
    throw bad("management, inference and API must have keys of their own");
  return file;
}

/** As TorchServe writes it. */
export function tokensText({ management, inference, api }: TokenFile): string {
  const shown = ({ key, expiresAtMs }: Token): object => ({
    key,
    "expiration time": new Date(expiresAtMs).toISOString(),
  });
  return JSON.stringify(
    { management: shown(management), inference: shown(inference), API: { key: api } },
    undefined,
    2,
  );
}

/** The tokens as keys: whose one is takes the same time to find out whether it is right or made up. */
export function tokenKeys(file: TokenFile): ApiKeys {
  const known = TOKEN_KINDS.map((kind) => ({
    hash: digest(file[kind].key),
    caller: callerOf(kind, file[kind].expiresAtMs),
  }));
  return {
    callers: known.map(({ caller }) => caller),
    find(key) {
      const given = digest(key);
      const right = known.filter(({ hash }) => timingSafeEqual(hash, given));
      return right[0]?.caller;
    },
  };
}

/** Whether an `Authorization` header brings the key with which tokens are renewed. */
export function holdsApiKey({ api }: TokenFile, authorization: string | undefined): boolean {
  const given = BEARER.exec(authorization ?? "")?.[1] ?? "";
  return timingSafeEqual(digest(given), digest(api));
}

/** Keys of two sources as one; both are always asked. */
export function joinKeys(first: ApiKeys, second: ApiKeys): ApiKeys {
  return {
    callers: [...first.callers, ...second.callers],
    find(key) {
      const found = [first.find(key), second.find(key)];
      return found[0] ?? found[1];
    },
  };
}

function callerOf(kind: TokenKind, expiresAtMs: number): Caller {
  return {
    name: `TorchServe's ${kind} token`,
    tenant: `key:torchserve-${kind}`,
    scopes: new Set([SCOPES[kind]]),
    models: undefined,
    rate: undefined,
    expiresAtMs,
  };
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key, "utf8").digest();
}

function bad(why: string): ServeError {
  return new ServeError("invalid_argument", `the file of TorchServe's tokens: ${why}`, {
    reason: "bad_key_file",
  });
}
