import type { BodyTensor } from "./infer-body.ts";

/**
 * An encoded `ModelInferRequest` for one output, or for all of them: model_name = 1, inputs = 5 (name 1, datatype 2, shape 3), outputs = 6 (name 1), raw_input_contents = 7.
 */
export function inferMessage(model: string, tensors: readonly BodyTensor[], output?: string): Uint8Array {
  return Buffer.concat([
    field(1, Buffer.from(model)),
    ...tensors.map(({ name, datatype, shape }) =>
      field(
        5,
        Buffer.concat([
          field(1, Buffer.from(name)),
          field(2, Buffer.from(datatype)),
          field(3, Buffer.concat(shape.map(varint))),
        ]),
      ),
    ),
    output === undefined ? Buffer.alloc(0) : field(6, field(1, Buffer.from(output))),
    ...tensors.map(({ bytes }) => field(7, bytes)),
  ]);
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
