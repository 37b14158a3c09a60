import { ServeError } from "../base/errors.ts";

/** How the range of a value follows from its numbers on typical inputs. */
export type RangeMethod =
  | { readonly kind: "minmax" }
  /** Of the middle so many percent: outliers beyond are cut off, so that the others get finer codes. */
  | { readonly kind: "percentile"; readonly percentile: number };

const DEFAULT_PERCENTILE = 99.99;

/** Reads `--ranges`: `minmax`, `percentile`, `percentile=99.9`. Throws ServeError `bad_arguments`. */
export function rangeMethod(text: string): RangeMethod {
  if (text === "minmax") return { kind: "minmax" };
  const [, given] = /^percentile(?:=(\d{1,3}(?:\.\d{1,9})?))?$/.exec(text) ?? [undefined, "no number"];
  const percentile = given === undefined ? DEFAULT_PERCENTILE : Number(given);
  if (percentile > 50 && percentile <= 100) return { kind: "percentile", percentile };
  throw new ServeError(
    "invalid_argument",
    `--ranges: expected minmax, percentile, or percentile=N with N over 50 up to 100, got ${JSON.stringify(text.slice(0, 80))}`,
    { reason: "bad_arguments" },
  );
}
