import { certificatesOf } from "../../app/model-sources.ts";
import { type CacheStoreAccess, cacheStoreAccess } from "../../app/open-cache-store.ts";
import { systemClock } from "../../base/clock.ts";
import type { OptionValues } from "../../config/option.ts";
import { SERVER_OPTIONS } from "../../config/server-options.ts";
import { PROBE_KEY } from "../../infer/cache/guarded-store.ts";
import { isRefusal, type StoreConnection, type StoreReply } from "../../infer/cache/store-connection.ts";
import { openStore } from "../../stores/open-store.ts";
import { parseStoreAddress, type StoreAddress } from "../../stores/store-address.ts";
import { storeError } from "../../stores/store-error.ts";
import { withLimit } from "../../stores/with-limit.ts";
import { sizeText } from "../size-text.ts";
import type { Diagnosis } from "./examine.ts";

const { cacheStore, cacheStorePasswordFile, cacheStoreSecretFile } = SERVER_OPTIONS;
const { cacheStoreCa, cacheStoreCert, cacheStoreKey, cacheStoreTimeoutMs, storeCa } = SERVER_OPTIONS;

/** Options of `sconce serve` that say how stores are reached. */
export const STORE_OPTIONS: Pick<
  typeof SERVER_OPTIONS,
  | "cacheStore"
  | "cacheStorePasswordFile"
  | "cacheStoreSecretFile"
  | "cacheStoreCa"
  | "cacheStoreCert"
  | "cacheStoreKey"
  | "cacheStoreTimeoutMs"
  | "storeCa"
> = {
  cacheStore,
  cacheStorePasswordFile,
  cacheStoreSecretFile,
  cacheStoreCa,
  cacheStoreCert,
  cacheStoreKey,
  cacheStoreTimeoutMs,
  storeCa,
};

type StoreOptions = OptionValues<typeof STORE_OPTIONS>;

const LIMIT_MS = 10_000;
const MOST_LISTED = 10_000;
/** The first question pays for what later ones find ready. */
const QUESTIONS = 5;

/**
 * Asks the stores that a server with these options would ask, as it would: one line for each. Throws `invalid_argument` for addresses that are none, and for options that do not
 * go together.
 */
export async function examineStores(
  texts: readonly string[],
  options: StoreOptions,
): Promise<readonly Diagnosis[]> {
  const addresses = texts.map(parseStoreAddress);
  const access = await cacheStoreAccess(options);
  const looks = addresses.map((address) =>
    diagnosed({ what: "models", where: address.display }, () => modelStore(address, options)),
  );
  if (access !== undefined) {
    const place = { what: "cache store", where: access.address.shown };
    looks.push(diagnosed(place, () => sharedCache(access, options.cacheStoreTimeoutMs)));
  }
  return Promise.all(looks);
}

/** What was found at a place, and what lacks there. */
type Found = Pick<Diagnosis, "found" | "lacks">;

async function diagnosed(
  { what, where }: { readonly what: string; readonly where: string },
  look: () => Promise<Found>,
): Promise<Diagnosis> {
  try {
    const { found, lacks } = await look();
    return { what, found: `${where}: ${found}`, lacks };
  } catch (error) {
    return { what, found: `${where} cannot be used`, lacks: storeError(error).message };
  }
}

async function modelStore(address: StoreAddress, options: StoreOptions): Promise<Found> {
  const store = await openStore(address, { ca: certificatesOf(options), idleMs: LIMIT_MS });
  try {
    const startMs = performance.now();
    const objects = await limited((signal) => store.list(MOST_LISTED, signal));
    const tookMs = Math.round(performance.now() - startMs);
    const bytes = sizeText(objects.reduce((sum, { byteLength }) => sum + byteLength, 0));
    const count = objects.length === 1 ? "1 object" : `${objects.length} objects`;
    const lacks = objects.length === 0 ? "nothing lies there" : undefined;
    return { found: `${count}, ${bytes}, listed in ${tookMs} ms`, lacks };
  } finally {
    store.close();
  }
}

async function sharedCache({ connect }: CacheStoreAccess, timeoutMs: number): Promise<Found> {
  const connection = await limited(connect);
  try {
    return await limited(() => asked(connection, timeoutMs));
  } finally {
    connection.destroy();
  }
}

async function asked(connection: StoreConnection, timeoutMs: number): Promise<Found> {
  let tookMs = 0;
  let reply: StoreReply = null;
  for (let question = 0; question < QUESTIONS; question++) {
    const startMs = performance.now();
    reply = await connection.send(["GETRANGE", PROBE_KEY, "0", "0"]);
    tookMs = performance.now() - startMs;
  }
  const [version, time] = [
    versionOf(await connection.send(["INFO", "server"])),
    timeOf(await connection.send(["TIME"]), Date.now()),
  ];
  const found = [version, `answers after ${tookMs.toFixed(1)} ms`, time].filter((one) => one !== undefined);
  const written = await connection.send(["SET", PROBE_KEY, "", "PX", "1"]);
  return { found: found.join(", "), lacks: lackOf({ reply, written, tookMs, timeoutMs }) };
}

interface Answers {
  readonly reply: StoreReply;
  readonly written: StoreReply;
  readonly tookMs: number;
  readonly timeoutMs: number;
}

function lackOf({ reply, written, tookMs, timeoutMs }: Answers): string | undefined {
  if (isRefusal(reply)) return `it lets nobody read: ${reply.message}`;
  if (isRefusal(written)) return `it takes no new answers: ${written.message}`;
  if (tookMs <= timeoutMs) return undefined;
  return `requests would not wait so long for it: --cache-store-timeout is ${timeoutMs} ms`;
}

/** Undefined: whoever is let in may not ask. */
function versionOf(reply: StoreReply): string | undefined {
  if (!(reply instanceof Uint8Array)) return undefined;
  const info = Buffer.from(reply).toString("latin1");
  const [, valkey] = /^valkey_version:(\S+)/m.exec(info) ?? [];
  const [, redis] = /^redis_version:(\S+)/m.exec(info) ?? [];
  return valkey === undefined ? redis && `Redis ${redis}` : `Valkey ${valkey}`;
}

/** Seconds and microseconds, which no other command answers in such a form. */
function timeOf(reply: unknown, nowMs: number): string | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [seconds, micros] = reply.map(Number) as [number, number];
  const aheadMs = Math.round(seconds * 1000 + micros / 1000 - nowMs);
  return `its clock ${Math.abs(aheadMs)} ms ${aheadMs < 0 ? "behind" : "ahead of"} this one`;
}

function limited<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return withLimit(work, { clock: systemClock, limitMs: LIMIT_MS, signal: new AbortController().signal });
}
