import { ServeError } from "../base/errors.ts";

const MODES = ["strict", "settled"] as const;

/** What `--readiness` says: a mode, or the names of models. Throws `invalid_argument`/`bad_option` for nothing, and for a mode among names. */
export function readinessOf(option: readonly string[]): (typeof MODES)[number] | readonly string[] {
  const mode = MODES.find((word) => option.includes(word));
  if (option.length === 0 || (mode !== undefined && option.length > 1)) {
    throw new ServeError(
      "invalid_argument",
      "--readiness: expected strict, settled, or names of models such as digits,resnet",
      { reason: "bad_option" },
    );
  }
  return mode ?? option;
}
