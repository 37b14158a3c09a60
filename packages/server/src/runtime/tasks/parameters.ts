import { bad } from "./read-request.ts";
import type { TaskParameters } from "./task-processor.ts";

/** A parameter that is a whole number from 1 on; undefined: it was not given, or is null. */
export function countParameter(parameters: TaskParameters, name: string): number | undefined {
  const value = parameters[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1) return value;
  throw bad(`parameters.${name}`, "expected a whole number from 1 on");
}

/** A parameter that is one of a few words; undefined: it was not given. */
export function wordParameter<W extends string>(
  parameters: TaskParameters,
  name: string,
  words: readonly W[],
): W | undefined {
  const value = parameters[name];
  if (value === undefined || value === null) return undefined;
  const word = words.find((one) => one === value);
  if (word === undefined) throw bad(`parameters.${name}`, `expected one of ${words.join(", ")}`);
  return word;
}

/** A parameter that is a number within bounds; undefined: it was not given. */
export function numberParameter(
  parameters: TaskParameters,
  name: string,
  [min, max]: readonly [number, number],
): number | undefined {
  const value = parameters[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw bad(`parameters.${name}`, `expected a number from ${min} to ${max}`);
}
