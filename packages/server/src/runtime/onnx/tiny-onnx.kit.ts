/** Writes ONNX files of a few nodes, for tests: just enough of onnx.proto. */

type Field = readonly [number, number | string | Uint8Array];

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}

export function message(...fields: readonly Field[]): Uint8Array {
  const parts = fields.map(([field, value]) => {
    if (typeof value === "number") return Uint8Array.from([...varint(field * 8), ...varint(value)]);
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    return Buffer.concat([Uint8Array.from([...varint(field * 8 + 2), ...varint(bytes.byteLength)]), bytes]);
  });
  return Buffer.concat(parts);
}

/** TensorProto.DataType */
export const ONNX_TYPE = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
} as const;

/** AttributeProto.AttributeType of a whole number, and of several. */
const INT = 2;
const INTS = 7;

export interface Value {
  readonly name: string;
  readonly type: keyof typeof ONNX_TYPE;
  /** Undefined: no shape is written. */
  readonly dims: readonly (number | string)[] | undefined;
  /** A sequence of such tensors. */
  readonly isSequence?: boolean;
}

function valueInfo({ name, type, dims, isSequence = false }: Value): Uint8Array {
  const sizes = dims?.map((dim): Field => [1, message(typeof dim === "number" ? [1, dim] : [2, dim])]);
  const shape: Field[] = sizes === undefined ? [] : [[2, message(...sizes)]];
  const tensor = message([1, ONNX_TYPE[type]], ...shape);
  const own = message([1, tensor]);
  return message([1, name], [2, isSequence ? message([4, message([1, own])]) : own]);
}

/** A float32 initializer; `external` puts its data into a file of that name. */
export function floatWeight(
  name: string,
  dims: readonly number[],
  data: Float32Array | { external: string },
): Uint8Array {
  const head: Field[] = [...dims.map((dim): Field => [1, dim]), [2, ONNX_TYPE.FP32], [8, name]];
  if (data instanceof Float32Array) return message(...head, [9, new Uint8Array(data.buffer)]);
  return message(...head, [13, message([1, "location"], [2, data.external])], [14, 1]);
}

export interface TinyModel {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly nodes: readonly {
    readonly op: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
    /** Whole numbers. */
    readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
  }[];
  readonly weights?: readonly Uint8Array[];
}

export function tinyOnnx(model: TinyModel): Uint8Array {
  const nodes = model.nodes.map(({ op, inputs, outputs, attributes = {} }): Field => {
    const names = [...inputs.map((name): Field => [1, name]), ...outputs.map((name): Field => [2, name])];
    const numbers = Object.entries(attributes).map(([name, value]): Field => {
      if (typeof value === "number") return [5, message([1, name], [3, value], [20, INT])];
      return [5, message([1, name], ...value.map((one): Field => [8, one]), [20, INTS])];
    });
    return [1, message(...names, [4, op], ...numbers)];
  });
  const graph = message(
    ...nodes,
    [2, "g"],
    ...(model.weights ?? []).map((weight): Field => [5, weight]),
    ...model.inputs.map((value): Field => [11, valueInfo(value)]),
    ...model.outputs.map((value): Field => [12, valueInfo(value)]),
  );
  return message([1, 10], [7, graph], [8, message([1, ""], [2, 21])]);
}

/** A model whose one output is its one input, through `op`. */
export function unary(op: string, input: Value, output: Omit<Value, "name">): Uint8Array {
  return tinyOnnx({
    inputs: [input],
    outputs: [{ name: "y", ...output }],
    nodes: [{ op, inputs: [input.name], outputs: ["y"] }],
  });
}
