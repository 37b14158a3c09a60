import type { TensorPort } from "./server-api.ts";

export type ElementValue = number | boolean | string;

/** A tensor that is to be sent. */
export interface TensorValue {
  readonly shape: readonly number[];
  readonly data: readonly ElementValue[];
}

/** Sizes of a first try where requests choose them. */
export function exampleShape({ shape }: TensorPort): number[] {
  return shape.map((size) => (size < 0 ? 1 : size));
}

/** One example: a ramp from 0 to 1, counting integers, or a short text. */
export function exampleTensor(port: TensorPort): TensorValue {
  const shape = exampleShape(port);
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Array.from({ length: count }, (_, i) => exampleElement(port.datatype, i, count));
  return { shape, data };
}

function exampleElement(datatype: string, i: number, count: number): ElementValue {
  if (datatype === "BYTES") return "hello";
  if (datatype === "BOOL") return i % 2 === 0;
  if (/^U?INT/.test(datatype)) return i % 2;
  return Math.round((i / Math.max(1, count - 1)) * 100) / 100;
}

/** A tensor as JSON in rows, as people write it. */
export function showNested({ shape, data }: TensorValue): string {
  const show = (at: number, from: number, indent: string): string => {
    if (at === shape.length) return JSON.stringify(data[from]);
    const step = shape.slice(at + 1).reduce((product, size) => product * size, 1);
    const parts = Array.from({ length: shape[at]! }, (_, i) => show(at + 1, from + i * step, `${indent} `));
    return at === shape.length - 1 ? `[${parts.join(", ")}]` : `[${parts.join(`,\n${indent} `)}]`;
  };
  return show(0, 0, "");
}

/** Reads nested lists. Throws an `Error` that says what is wrong. */
export function readNested(text: string, port: TensorPort): TensorValue {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${port.name}: this is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  const data: ElementValue[] = [];
  collect(value, shape, { port, data });
  // A row without its batch dimension is one row; a flat list of the right length is what it is.
  const rank = port.shape.length;
  if (shape.length === rank - 1 && (port.shape[0] === -1 || port.shape[0] === 1)) shape.unshift(1);
  return { shape, data };
}

function collect(
  value: unknown,
  [size, ...rest]: readonly number[],
  to: { readonly port: TensorPort; readonly data: ElementValue[] },
): void {
  const { name } = to.port;
  if (size === undefined) {
    if (typeof value !== "number" && typeof value !== "string" && typeof value !== "boolean")
      throw new Error(
        `${name}: expected numbers, texts or booleans in lists, found ${JSON.stringify(value)}`,
      );
    to.data.push(value);
    return;
  }
  if (!Array.isArray(value) || value.length !== size)
    throw new Error(`${name}: the lists on one level must all have ${size} elements`);
  for (const one of value) collect(one, rest, to);
}
