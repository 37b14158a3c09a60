import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";
import { ROLLOUT_KEYS, type RolloutSettings } from "../base/rollout.ts";

const KEYS = [
  "share",
  "window",
  "min_requests",
  "by",
  "tenants",
  "max_errors",
  "max_latency",
  "shadow",
  "tolerance",
  "max_differing",
  "promotion",
  "from",
] as const;
type Key = (typeof KEYS)[number];

const MAX_STEPS = 20;
const MAX_TENANTS = 1000;
const MAX_WINDOW_MS = 7 * 24 * 3_600_000;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads `rollout`; undefined where there is none. Throws `invalid_argument`/`bad_option` that names the key. */
export function readRollout(
  given: Readonly<Record<string, string>> | undefined,
): RolloutSettings | undefined {
  if (given === undefined) return undefined;
  const stray = Object.keys(given).find((key) => !KEYS.some((known) => known === key));
  if (stray !== undefined) {
    const near = nearestWord(stray, KEYS);
    const hint = near === undefined ? `known are ${KEYS.join(", ")}` : `did you mean ${near}?`;
    throw bad(`unknown key ${shown(stray)}; ${hint}`);
  }
  const text = (key: Key): string | undefined => (Object.hasOwn(given, key) ? given[key]?.trim() : undefined);
  const shadowShare = readPart("shadow", text("shadow") ?? "0");
  const maxDiffering = text("max_differing");
  if (maxDiffering !== undefined && shadowShare === 0)
    throw bad("max_differing: answers are compared where shadow is set, such as shadow: 10%");
  return {
    shares: readShares(text("share") ?? "5%, 25%, 50%"),
    windowMs: readDuration("window", text("window") ?? "1m"),
    minRequests: readCount(text("min_requests") ?? "100"),
    by: oneOf("by", text("by") ?? "request", ROLLOUT_KEYS),
    tenants: readTenants(text("tenants")),
    maxErrors: readPart("max_errors", text("max_errors") ?? "1%"),
    maxLatency: readLatency(text("max_latency") ?? "1.5"),
    shadowShare,
    tolerance: readTolerance(text("tolerance") ?? "1e-4"),
    maxDiffering: maxDiffering === undefined ? undefined : readPart("max_differing", maxDiffering),
    promotion: oneOf("promotion", text("promotion") ?? "automatic", ["automatic", "manual"]),
    from: readVersion(text("from")),
  };
}

/** One share, as `advance` of the control API takes it. Throws as `readRollout`. */
export function readShare(text: string): number {
  return readPart("share", text.trim());
}

function readShares(text: string): readonly number[] {
  const shares = text.split(",").map((part) => readPart("share", part.trim()));
  if (shares.length > MAX_STEPS) throw bad(`share: at most ${MAX_STEPS} steps`);
  if (shares.some((share, i) => i > 0 && share <= shares[i - 1]!))
    throw bad(`share: each step has to be larger than the one before it, got ${shown(text)}`);
  return shares;
}

function readPart(key: Key, text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,9})?)\s?(%?)$/.exec(text);
  const part = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (part >= 0 && part <= 1) return part;
  throw bad(`${key}: expected a part of the requests, such as 5% or 0.05, got ${shown(text)}`);
}

function readDuration(key: Key, text: string): number {
  const ms = durationMs(text);
  if (ms >= 1 && ms <= MAX_WINDOW_MS) return ms;
  throw bad(`${key}: expected a duration up to 168h, such as 30s or 5m, got ${shown(text)}`);
}

function durationMs(text: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)\s?(ms|s|m|h)$/.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * UNIT_MS[match[2]!]!;
}

function readLatency(text: string): RolloutSettings["maxLatency"] {
  if (text === "none") return undefined;
  const ms = durationMs(text);
  if (ms > 0) return { ms };
  const match = /^(\d{1,4}(?:\.\d{1,6})?)\s?(%?)$/.exec(text);
  const times = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (times >= 1) return { times };
  throw bad(
    `max_latency: expected times of the old version's, such as 1.5, a duration such as 50ms, or none, got ${shown(text)}`,
  );
}

function readCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1) return count;
  throw bad(`min_requests: expected a whole number from 1 on, got ${shown(text)}`);
}

function readTolerance(text: string): number {
  const tolerance = text === "" ? Number.NaN : Number(text);
  if (tolerance >= 0 && tolerance <= 1) return tolerance;
  throw bad(`tolerance: expected a number from 0 to 1, got ${shown(text)}`);
}

function readTenants(text: string | undefined): readonly string[] {
  const tenants = (text ?? "").split(",").map((tenant) => tenant.trim());
  if (tenants.length > MAX_TENANTS) throw bad(`tenants: at most ${MAX_TENANTS}`);
  return tenants.filter((tenant) => tenant !== "");
}

function readVersion(text: string | undefined): string | undefined {
  if (text === undefined || /^[1-9]\d{0,17}$/.test(text)) return text;
  throw bad(`from: expected the number of a version, got ${shown(text)}`);
}

function oneOf<Word extends string>(key: Key, text: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw bad(`${key}: expected ${words.join(", ")}, got ${shown(text)}`);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

function bad(why: string): ServeError {
  return new ServeError("invalid_argument", `rollout: ${why}`, { reason: "bad_option" });
}
