import { ServeError } from "../base/errors.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const MAX_LENGTH = 128;

/** Throws `not_found` for a name that no model of this server can have; the name itself is not repeated. */
export function checkModelName(name: string): void {
  if (isSafe(name)) return;
  throw new ServeError(
    "not_found",
    "no such model: a model's name has 1 to 128 letters, digits, dots, underscores or hyphens and starts with a letter or digit",
    { reason: "bad_model_name" },
  );
}

/** As `checkModelName`, for a version; undefined and "" leave the choice to the version policy. */
export function checkModelVersion(version: string | undefined): string | undefined {
  if (version === undefined || version === "") return undefined;
  if (isSafe(version)) return version;
  throw new ServeError(
    "not_found",
    "no such version: a version has 1 to 128 letters, digits, dots, underscores or hyphens and starts with a letter or digit",
    { reason: "bad_model_version" },
  );
}

function isSafe(text: string): boolean {
  return text.length <= MAX_LENGTH && NAME.test(text) && !text.includes("..");
}
