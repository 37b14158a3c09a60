import { ServeError } from "../base/errors.ts";

const MAX_PRIORITY = 2 ** 32 - 1;

/**
 * The Open Inference Protocol's `priority` parameter: 1 is highest, 0 or absent means the model's default. Throws
 * `invalid_argument`.
 */
export function parsePriority(value: boolean | number | bigint | string | undefined): number {
  if (value === undefined) return 0;
  const priority = typeof value === "number" || typeof value === "bigint" ? Number(value) : Number.NaN;
  if (Number.isInteger(priority) && priority >= 0 && priority <= MAX_PRIORITY) return priority;
  throw new ServeError(
    "invalid_argument",
    'the parameter "priority" must be a whole number, 1 being the highest',
    {
      reason: "bad_priority",
    },
  );
}
