const TOLERANCE = 1e-4;

/** Whether two JSON values are alike: numbers may differ by a ten-thousandth of the larger one, or of 1; ids and timings are left out. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number") {
    return Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b));
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = keys(a);
  if (left.length !== keys(b).length) return false;
  return left.every((key) =>
    sameJson((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}

function keys(value: object): string[] {
  return Object.keys(value).filter((key) => Array.isArray(value) || key !== "id");
}
