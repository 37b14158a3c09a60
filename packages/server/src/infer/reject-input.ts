import { ServeError } from "../base/errors.ts";

/** `2 rows`, `1 row`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** For an input that is not what the model takes. Throws `invalid_argument`. */
export function rejectInput(message: string): never {
  throw new ServeError("invalid_argument", message, { reason: "bad_input" });
}
