import { isModelName, isModelVersion } from "../models/model-candidate.ts";
import type { HeldBack, TrialRecord } from "../models/trial-record.ts";

export interface StoredHeldBack extends HeldBack {
  /** Of what was held back, in hex; undefined: the server ended before it was known. */
  readonly sha256?: string;
}

export interface StoredRecord extends Pick<TrialRecord, "stable" | "candidate"> {
  readonly heldBack: ReadonlyMap<string, StoredHeldBack>;
}

const LAYOUT = 1;
const DIGEST = /^[0-9a-f]{64}$/;

/** What is known of the trials of models, as JSON; models of which nothing is known are left out. */
export function encodeRollouts(
  records: ReadonlyMap<string, TrialRecord>,
  digestOf: (model: string, version: string, held: HeldBack) => string | undefined,
): string {
  const models = [...records].flatMap(([model, { stable, candidate, heldBack }]) => {
    if (stable === undefined && candidate === undefined && heldBack.size === 0) return [];
    const held = [...heldBack].map(([version, one]) => {
      const sha256 = digestOf(model, version, one);
      return [version, { ...one, ...(sha256 && { sha256 }) }] as const;
    });
    return [[model, { stable, candidate, held_back: Object.fromEntries(held) }] as const];
  });
  return `${JSON.stringify({ layout: LAYOUT, models: Object.fromEntries(models) }, null, 2)}\n`;
}

/** Reads what `encodeRollouts` wrote. Throws SyntaxError or TypeError for anything else. */
export function decodeRollouts(text: string): ReadonlyMap<string, StoredRecord> {
  const { layout, models } = object(JSON.parse(text));
  if (layout !== LAYOUT) throw new TypeError("it is not of this release");
  return new Map(
    Object.entries(object(models)).map(([model, value]) => {
      if (!isModelName(model)) throw new TypeError("it has a name that no model has");
      const { stable, candidate, held_back: heldBack } = object(value);
      const held = Object.entries(object(heldBack)).map(
        ([version, one]) => [versionOf(version)!, heldBackOf(one)] as const,
      );
      const record = { stable: versionOf(stable), candidate: versionOf(candidate), heldBack: new Map(held) };
      return [model, record] as const;
    }),
  );
}

function heldBackOf(value: unknown): StoredHeldBack {
  const { fingerprint, reason, sha256 } = object(value);
  if (typeof fingerprint !== "string" || typeof reason !== "string")
    throw new TypeError("a verdict lacks its reason");
  if (sha256 === undefined) return { fingerprint, reason };
  if (typeof sha256 !== "string" || !DIGEST.test(sha256)) throw new TypeError("it has a digest that is none");
  return { fingerprint, reason, sha256 };
}

function versionOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && isModelVersion(value)) return value;
  throw new TypeError("it has a version that is none");
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new TypeError("it is not what a server writes");
}
