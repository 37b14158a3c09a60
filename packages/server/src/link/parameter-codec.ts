import type { Parameters, ParameterValue } from "../base/infer-request.ts";

/** Parameters as JSON has them: an integer that is not a number says so. */
export type WireParameters = readonly (readonly [
  name: string,
  value: boolean | number | string | { readonly int: string },
])[];

export function encodeParameters(parameters: Parameters): WireParameters {
  return Array.from(parameters, ([name, value]) => [name, encodeValue(value)] as const);
}

function encodeValue(value: ParameterValue): WireParameters[number][1] {
  if (typeof value === "bigint") return { int: String(value) };
  // JSON has neither infinities nor −0.
  if (Object.is(value, -0)) return { int: "n-0" };
  return typeof value === "number" && !Number.isFinite(value) ? { int: `n${value}` } : value;
}

export function decodeParameters(wire: WireParameters): Map<string, ParameterValue> {
  return new Map(wire.map(([name, value]) => [name, decodeValue(value)]));
}

function decodeValue(value: WireParameters[number][1]): ParameterValue {
  if (typeof value !== "object") return value;
  const { int } = value;
  return int.startsWith("n") ? Number(int.slice(1)) : BigInt(int);
}
