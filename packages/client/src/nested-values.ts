import { type Datatype, ServeError } from "@sconce/protocol";
import { type TypedTensor, tensor } from "./typed-tensor.ts";

/** An element, or a list of values of one shape. */
export type NestedValue = number | bigint | boolean | string | readonly NestedValue[];

type Element = Exclude<NestedValue, readonly NestedValue[]>;

/** Deeper than any tensor: a list that holds itself ends here. */
const MAX_DEPTH = 32;

/**
 * The tensor that nested lists spell, of the shape of their nesting. Throws `invalid_argument` naming `field` for lists of different
 * lengths and for elements that are no `datatype`.
 */
export function nestedTensor<D extends Datatype>(
  datatype: D,
  value: NestedValue,
  field: string,
): TypedTensor<D> {
  const shape: number[] = [];
  for (let first: NestedValue | undefined = value; Array.isArray(first); first = first[0]) {
    shape.push(first.length);
    if (shape.length > MAX_DEPTH) throw bad(field, `lists are nested more than ${MAX_DEPTH} deep`);
  }
  const elements: Element[] = [];
  collect(value, { shape, axis: 0, field }, elements);
  try {
    return tensor(datatype, shape, elements);
  } catch (error) {
    throw error instanceof ServeError ? bad(field, error.message) : error;
  }
}

interface Place {
  readonly shape: readonly number[];
  readonly axis: number;
  readonly field: string;
}

function collect(value: NestedValue, place: Place, elements: Element[]): void {
  const { shape, axis, field } = place;
  const isList = Array.isArray(value);
  const expected = shape[axis];
  if (isList !== (expected !== undefined) || (isList && value.length !== expected))
    throw bad(field, `lists at depth ${axis} have different lengths`);
  if (!isList) {
    elements.push(value as Element);
    return;
  }
  const inner = { shape, axis: axis + 1, field };
  for (const item of value as readonly NestedValue[]) collect(item, inner, elements);
}

function bad(field: string, what: string): ServeError {
  return new ServeError("invalid_argument", `${field}: ${what}`);
}
