import { exampleSize, type TensorSpec } from "../../../base/signature.ts";
import { type Datatype, elementCount } from "../../../base/tensor.ts";

/** A schema of JSON Schema 2020-12, which OpenAPI 3.1 has. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** Examples with more elements than this are left out. */
const MAX_EXAMPLE_ELEMENTS = 1024;

const INTEGER_BITS: Readonly<Partial<Record<Datatype, readonly [least: number, most: number]>>> = {
  UINT8: [0, 2 ** 8 - 1],
  UINT16: [0, 2 ** 16 - 1],
  UINT32: [0, 2 ** 32 - 1],
  UINT64: [0, 2 ** 64 - 1],
  INT8: [-(2 ** 7), 2 ** 7 - 1],
  INT16: [-(2 ** 15), 2 ** 15 - 1],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  INT64: [-(2 ** 63), 2 ** 63 - 1],
};

/** One element of a tensor as JSON. */
export function elementSchema({ datatype, indices }: Pick<TensorSpec, "datatype" | "indices">): JsonSchema {
  const range = INTEGER_BITS[datatype];
  if (range !== undefined) {
    const [minimum, maximum] = indices === undefined ? range : [indices.min, indices.max];
    return { type: "integer", minimum, maximum };
  }
  if (datatype === "BOOL") return { type: "boolean" };
  if (datatype === "BYTES") return { anyOf: [{ type: "string" }, { $ref: "#/components/schemas/Base64" }] };
  return { type: "number" };
}

/** A tensor as nested lists, from dimension `from` on. */
export function nestedSchema(spec: TensorSpec, from = 0): JsonSchema {
  if (spec.isRankFree === true) return {};
  const dims = spec.dims.slice(from);
  return dims.reduceRight<JsonSchema>((items, dim) => {
    const [least, most] = typeof dim === "number" ? [dim, dim] : [dim.min, dim.max];
    return { type: "array", items, minItems: least, ...(most !== undefined && { maxItems: most }) };
  }, elementSchema(spec));
}

/** An example of nested lists, of zeros or empty texts; undefined: it would be long. */
export function nestedExample(spec: TensorSpec): unknown {
  const shape = exampleShape(spec);
  if (elementCount(shape) > MAX_EXAMPLE_ELEMENTS) return undefined;
  return shape.reduceRight<unknown>(
    (inner, size) => new Array<unknown>(size).fill(inner),
    exampleElement(spec),
  );
}

/** The same as a flat list, which goes with its shape. */
export function flatExample(spec: TensorSpec): readonly unknown[] | undefined {
  const count = elementCount(exampleShape(spec));
  return count > MAX_EXAMPLE_ELEMENTS ? undefined : new Array<unknown>(count).fill(exampleElement(spec));
}

/** A shape that the model takes. */
export function exampleShape({ dims }: TensorSpec): number[] {
  return dims.map(exampleSize);
}

function exampleElement({ datatype, indices }: TensorSpec): unknown {
  if (datatype === "BYTES") return "";
  if (datatype === "BOOL") return false;
  return indices === undefined ? 0 : Math.min(Math.max(0, indices.min), indices.max);
}
