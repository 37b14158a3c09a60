import { packBytes, showShape } from "@sconce/protocol";
import { type TensorSpec, wireShape } from "../../../base/signature.ts";
import { elementBytes, elementCount } from "../../../base/tensor.ts";
import { bad } from "../json/fields.ts";
import { NONE } from "../json/parameters.ts";
import type { V2Request } from "./v2-request.ts";

/**
 * Makes a request of a body that is nothing but one tensor (Triton's binary extension with `Inference-Header-Content-Length: 0`): the model's
 * only input, one row, every output binary. A dimension that is neither known nor the batch follows from the size.
 */
export function readRawRequest(body: Buffer, specs: readonly TensorSpec[]): V2Request {
  const [spec] = specs;
  if (spec === undefined || specs.length !== 1) {
    throw bad("body", `a raw body carries one tensor, but the model has ${specs.length} inputs; send JSON`);
  }
  const isBytes = spec.datatype === "BYTES";
  const bytes = isBytes ? packBytes([body]) : body;
  return {
    id: undefined,
    inputs: [
      {
        name: spec.name,
        datatype: spec.datatype,
        shape: rawShape(spec, isBytes ? undefined : body.length),
        bytes,
      },
    ],
    outputs: undefined,
    parameters: NONE,
    forms: { binaryByDefault: true, binary: new Map() },
    data: undefined,
  };
}

function rawShape(spec: TensorSpec, size: number | undefined): number[] {
  const shape = wireShape(spec);
  if (shape[0] === -1) shape[0] = 1;
  const open = shape.indexOf(-1);
  if (open !== shape.lastIndexOf(-1)) {
    throw bad(
      "body",
      `the shape ${showShape(wireShape(spec))} of "${spec.name}" does not follow from a raw body; send JSON`,
    );
  }
  if (open >= 0) shape[open] = 1;
  const unit = elementCount(shape) * elementBytes(spec.datatype);
  if (size === undefined) return shape;
  if (open >= 0 && unit > 0) shape[open] = Math.floor(size / unit);
  const expected = elementCount(shape) * elementBytes(spec.datatype);
  if (size !== expected) {
    throw bad(
      "body",
      `"${spec.name}" (${spec.datatype} ${showShape(shape)}) needs ${expected} bytes, got ${size}`,
    );
  }
  return shape;
}
