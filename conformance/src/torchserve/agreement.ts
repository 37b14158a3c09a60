import { isDeepStrictEqual } from "node:util";
import type { Closeness, RecordedAnswer } from "./recorded-call.ts";

const RELATIVE = 1e-5;

/** Whether answers to one call agree as closely as the call says. */
export function agree(
  actual: readonly RecordedAnswer[],
  expected: readonly RecordedAnswer[],
  closeness: Closeness,
): boolean {
  if (closeness !== "numbers") return isDeepStrictEqual(actual, expected);
  return (
    actual.length === expected.length &&
    actual.every((answer, index) => isNear(withNumbers(answer), withNumbers(expected[index]!)))
  );
}

function withNumbers(answer: RecordedAnswer): unknown {
  const { body } = answer;
  if (typeof body !== "string") return answer;
  try {
    return { ...answer, body: JSON.parse(body) as unknown };
  } catch {
    return answer;
  }
}

function isNear(one: unknown, other: unknown): boolean {
  if (typeof one === "number" && typeof other === "number")
    return Math.abs(one - other) <= RELATIVE * Math.max(Math.abs(one), Math.abs(other), 1e-3);
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null)
    return one === other;
  const [names, others] = [Object.entries(one), Object.entries(other)];
  // The order of names is part of an answer.
  return (
    names.length === others.length &&
    names.every(([name, value], index) => name === others[index]![0] && isNear(value, others[index]![1]))
  );
}
