import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { ServeError } from "../base/errors.ts";
import { type Caller, type CallerRate, SCOPES, type Scope } from "./caller.ts";
import { modelRight } from "./model-right.ts";

/** A key as its file has it. The key itself is nowhere: 256 random bits need no slow hash (docs/dev/decisions.md). */
export interface KeyRecord {
  /** The public part of the key. */
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the whole key, in hexadecimal digits. */
  readonly sha256: string;
  readonly models: readonly string[];
  readonly scopes: readonly Scope[];
  /** `100/s`, `6000/m`; undefined: what holds for every tenant. */
  readonly rate?: string | undefined;
  /** ISO 8601; undefined: never. */
  readonly expires?: string | undefined;
  readonly created: string;
}

/** The keys that a server knows. */
export interface ApiKeys {
  /** Whose key this is. It takes the same time whether the key is known, half right or made up. */
  find(key: string): Caller | undefined;
  readonly callers: readonly Caller[];
}

const ID_BYTES = 6;
const SECRET_BYTES = 32;
const KEY = /^sconce_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const RATE = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)\/(s|m|h)$/;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
const MOST_KEYS = 100_000;
const LEAST_BURST = 10;
/** Compared with when there is no such key, so that this takes as long. */
const NO_HASH = Buffer.alloc(32);

/** Whether a token has the shape of a key, right or wrong. */
export function looksLikeKey(token: string): boolean {
  return token.startsWith("sconce_");
}

/** Makes a key, which is shown once, and what is kept of it. Throws `invalid_argument` for what a file could not say. */
export function makeKey(
  wishes: Omit<KeyRecord, "id" | "sha256">,
  random: (size: number) => Buffer = randomBytes,
): { readonly key: string; readonly record: KeyRecord } {
  const id = random(ID_BYTES).toString("hex");
  const key = `sconce_${id}_${random(SECRET_BYTES).toString("base64url")}`;
  const record = { id, sha256: digest(key).toString("hex"), ...wishes };
  callerOf(record, "");
  return { key, record };
}

/** Reads the text of a file of keys. Throws `invalid_argument`/`bad_key_file` that names the key and the field; never with what the file holds. */
export function readKeyFile(text: string): readonly KeyRecord[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw badFile("it is not JSON");
  }
  const keys = isObject(content) ? content["keys"] : undefined;
  if (!Array.isArray(keys)) throw badFile('expected {"keys": […]}; sconce keys add makes such a file');
  if (keys.length > MOST_KEYS) throw badFile(`it holds more than ${MOST_KEYS} keys`);
  return keys.map((entry: unknown, index) => recordOf(entry, `keys[${index}]`));
}

/** Throws `invalid_argument`/`bad_key_file` for records that contradict each other. */
export function createApiKeys(records: readonly KeyRecord[]): ApiKeys {
  const byId = new Map<string, { readonly hash: Buffer; readonly caller: Caller }>();
  const names = new Set<string>();
  for (const record of records) {
    if (byId.has(record.id)) throw badFile(`the key ${record.id} is there twice`);
    if (names.has(record.name)) throw badFile(`the name ${record.name} is there twice`);
    names.add(record.name);
    byId.set(record.id, {
      hash: Buffer.from(record.sha256, "hex"),
      caller: callerOf(record, `the key ${record.name}: `),
    });
  }
  return {
    callers: [...byId.values()].map(({ caller }) => caller),
    find(key) {
      const found = byId.get(KEY.exec(key)?.[1] ?? "");
      const isRight = timingSafeEqual(digest(key), found?.hash ?? NO_HASH);
      return isRight ? found?.caller : undefined;
    },
  };
}

/** `100/s`. Throws `invalid_argument`. */
export function parseRate(text: string): CallerRate {
  const [, count, unit] = RATE.exec(text) ?? [];
  const perSecond = Number(count) / (SECONDS[unit ?? ""] ?? 1);
  if (!(perSecond > 0)) {
    throw new ServeError("invalid_argument", "rate: expected so many requests per s, m or h, such as 100/s", {
      reason: "bad_option",
    });
  }
  return { perSecond, burst: Math.max(LEAST_BURST, Math.ceil(perSecond)) };
}

function callerOf({ name, models, scopes, rate, expires }: KeyRecord, label: string): Caller {
  try {
    return {
      name: `key ${name}`,
      tenant: `key:${name}`,
      scopes: new Set(scopes),
      models: modelRight(models),
      rate: rate === undefined ? undefined : parseRate(rate),
      expiresAtMs: expires === undefined ? Number.POSITIVE_INFINITY : timeOf(expires),
    };
  } catch (error) {
    throw label === "" ? error : badFile(label + ServeError.from(error).message);
  }
}

function timeOf(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw badFile("expires: expected a time such as 2027-01-31T00:00:00Z");
  return ms;
}

function recordOf(entry: unknown, label: string): KeyRecord {
  const fields = isObject(entry) ? entry : {};
  const text = (field: string, isRight: (value: string) => boolean): string => {
    const value = fields[field];
    if (typeof value === "string" && isRight(value)) return value;
    throw badFile(`${label}.${field} is missing or not right`);
  };
  const optional = (field: string): string | undefined =>
    fields[field] === undefined ? undefined : text(field, () => true);
  const list = (field: string): string[] => {
    const value = fields[field];
    if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string"))
      return value;
    throw badFile(`${label}.${field} is missing or not a list of texts`);
  };
  const scopes = list("scopes");
  const unknown = scopes.find((scope) => !SCOPES.some((known) => known === scope));
  if (unknown !== undefined) throw badFile(`${label}.scopes: known are ${SCOPES.join(", ")}`);
  return {
    id: text("id", (value) => /^[0-9a-f]{12}$/.test(value)),
    name: text("name", (value) => NAME.test(value)),
    sha256: text("sha256", (value) => /^[0-9a-f]{64}$/.test(value)),
    models: list("models"),
    scopes: scopes as Scope[], // all of them are known
    rate: optional("rate"),
    expires: optional("expires"),
    created: text("created", () => true),
  };
}

/** Digests have one length, which the comparison needs. */
function digest(key: string): Buffer {
  return createHash("sha256").update(key, "utf8").digest();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function badFile(message: string): ServeError {
  return new ServeError("invalid_argument", `the file of keys: ${message}`, { reason: "bad_key_file" });
}
