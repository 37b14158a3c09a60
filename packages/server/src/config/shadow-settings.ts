import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";

/** Which answers are compared with PyTorch's, and how. */
export interface ShadowSettings {
  /** Of the requests, above 0 and at most 1. */
  readonly share: number;
  /** The largest difference that counts as equal, divided by 1 plus the value that PyTorch gives. */
  readonly tolerance: number;
}

const KEYS = ["runtime", "share", "tolerance"] as const;
/** As that of `sconce verify`. */
const TOLERANCE = 1e-4;

/** Reads `shadow`; undefined where there is none. Throws `invalid_argument`/`bad_option` that names the key. */
export function readShadow(given: Readonly<Record<string, string>> | undefined): ShadowSettings | undefined {
  if (given === undefined) return undefined;
  const stray = Object.keys(given).find((key) => !KEYS.some((known) => known === key));
  if (stray !== undefined) {
    const near = nearestWord(stray, KEYS);
    const hint = near === undefined ? `known are ${KEYS.join(", ")}` : `did you mean ${near}?`;
    throw bad(`unknown key ${JSON.stringify(stray.slice(0, 80))}; ${hint}`);
  }
  const { runtime = "python", share, tolerance } = given;
  if (runtime !== "python")
    throw bad(`runtime: expected python, got ${JSON.stringify(runtime.slice(0, 80))}`);
  return {
    share: readShare(share),
    tolerance: tolerance === undefined ? TOLERANCE : readTolerance(tolerance),
  };
}

function readShare(text: string | undefined): number {
  const match = /^(\d{1,3}(?:\.\d{1,9})?)\s?(%?)$/.exec(text?.trim() ?? "");
  const share = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (share > 0 && share <= 1) return share;
  const got = text === undefined ? "nothing" : JSON.stringify(text.slice(0, 80));
  throw bad(`share: expected a part of the requests, such as 1% or 0.01, got ${got}`);
}

function readTolerance(text: string): number {
  const tolerance = text.trim() === "" ? Number.NaN : Number(text);
  if (tolerance >= 0 && tolerance <= 1) return tolerance;
  throw bad(`tolerance: expected a number from 0 to 1, got ${JSON.stringify(text.slice(0, 80))}`);
}

function bad(why: string): ServeError {
  return new ServeError("invalid_argument", `shadow: ${why}`, { reason: "bad_option" });
}
