import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { DEFAULT_CODEC_LIMITS } from "../grpc/codec-limits.ts";
import type { LateWork } from "../grpc/wire-tensor.ts";
import type { NamedTensor } from "../tensor.ts";
import {
  decodeTensorflowPredict,
  encodeTensorflowPredict,
  PredictRequestSchema,
  PredictResponseSchema,
} from "./index.ts";

const HOW = { limits: DEFAULT_CODEC_LIMITS, maxBytes: 1024 * 1024 };
const [FLOAT, DOUBLE, INT32, UINT8, INT8, STRING, INT64, BOOL, HALF, UINT32, UINT64] = [
  1, 2, 3, 4, 6, 7, 9, 10, 19, 22, 23,
];

/** Cases are spelled as literals, which the generated types do not take inside of maps. */
const requestOf = (init: object) =>
  create(PredictRequestSchema, init as MessageInitShape<typeof PredictRequestSchema>);

function message(tensor: object, spec: object = { name: "m" }): Uint8Array {
  const request = requestOf({
    modelSpec: spec,
    inputs: { x: tensor },
  });
  return toBinary(PredictRequestSchema, request);
}

const shape = (...sizes: readonly number[]) => ({
  dim: sizes.map((size) => ({ size: BigInt(size), name: "" })),
});

function input(tensor: object): NamedTensor {
  return decodeTensorflowPredict(message(tensor), HOW, {}).inputs[0]!;
}

const bytesOf = (values: ArrayLike<number> & { readonly buffer?: ArrayBufferLike }) =>
  Buffer.from((values as Uint8Array).buffer).toString("hex");
const hex = ({ bytes }: NamedTensor) => Buffer.from(bytes).toString("hex");

test("a request's names, version, outputs and tensors are read", () => {
  const request = requestOf({
    modelSpec: {
      name: "m",
      versionChoice: { case: "version", value: { value: 3n } },
      signatureName: "serving_default",
    },
    inputs: {
      a: { dtype: FLOAT!, tensorShape: shape(1, 2), floatVal: [1, 2] },
      b: { dtype: INT64!, tensorShape: shape(), int64Val: [-(2n ** 63n)] },
    },
    outputFilter: ["y"],
  });
  const wire = decodeTensorflowPredict(toBinary(PredictRequestSchema, request), HOW, {});
  assert.deepEqual([wire.model, wire.version, wire.outputs], ["m", "3", ["y"]]);
  assert.deepEqual(
    wire.inputs.map(({ name, datatype, shape: dims }) => [name, datatype, dims]),
    [
      ["a", "FP32", [1, 2]],
      ["b", "INT64", []],
    ],
  );
  assert.equal(hex(wire.inputs[1]!), "0000000000000080");
});

test("elements come in the field of their type, or as contents", () => {
  for (const [tensor, expected] of [
    [{ dtype: FLOAT, tensorShape: shape(2), floatVal: [1.5, -2] }, bytesOf(Float32Array.of(1.5, -2))],
    [{ dtype: DOUBLE, tensorShape: shape(1), doubleVal: [0.1] }, bytesOf(Float64Array.of(0.1))],
    [{ dtype: INT32, tensorShape: shape(2), intVal: [-1, 7] }, bytesOf(Int32Array.of(-1, 7))],
    [{ dtype: UINT8, tensorShape: shape(2), intVal: [255, 0] }, "ff00"],
    [{ dtype: INT8, tensorShape: shape(2), intVal: [-128, 127] }, "807f"],
    [{ dtype: BOOL, tensorShape: shape(2), boolVal: [true, false] }, "0100"],
    [{ dtype: HALF, tensorShape: shape(1), halfVal: [0x3c00] }, "003c"],
    [{ dtype: UINT32, tensorShape: shape(1), uint32Val: [2 ** 32 - 1] }, "ffffffff"],
    [{ dtype: UINT64, tensorShape: shape(1), uint64Val: [2n ** 64n - 1n] }, "ffffffffffffffff"],
    [
      { dtype: STRING, tensorShape: shape(2), stringVal: [Buffer.from("a"), Buffer.alloc(0)] },
      "010000006100000000",
    ],
    [{ dtype: FLOAT, tensorShape: shape(1), tensorContent: Buffer.from([1, 2, 3, 4]) }, "01020304"],
    [{ dtype: FLOAT, tensorShape: shape(0, 3) }, ""],
  ] as const)
    assert.equal(hex(input(tensor)), expected, JSON.stringify(Object.keys(tensor)));
});

test("the last element goes on to the end of the shape, as TensorFlow has it", () => {
  assert.deepEqual(
    new Float32Array(
      input({ dtype: FLOAT, tensorShape: shape(2, 3), floatVal: [1, 7] }).bytes.slice().buffer,
    ),
    Float32Array.of(1, 7, 7, 7, 7, 7),
  );
  assert.equal(
    hex(input({ dtype: STRING, tensorShape: shape(3), stringVal: [Buffer.from("a")] })),
    "0100000061".repeat(3),
  );
  const many = input({ dtype: INT64, tensorShape: shape(100_001), int64Val: [5n] });
  assert.ok(new BigInt64Array(many.bytes.slice().buffer).every((value) => value === 5n));
});

test("what makes no sense, or would become too large, is rejected", () => {
  for (const [tensor, words] of [
    [{ dtype: 8, tensorShape: shape(1) }, /dtype 8/],
    [{ dtype: FLOAT, tensorShape: shape(1), intVal: [1] }, /not in the field of its dtype/],
    [{ dtype: FLOAT, tensorShape: shape(1), intVal: [1], floatVal: [1] }, /more than one field/],
    [{ dtype: FLOAT, tensorShape: shape(1), floatVal: [1, 2] }, /more elements than its shape/],
    [{ dtype: FLOAT, tensorShape: shape(1) }, /no elements/],
    [{ dtype: FLOAT, tensorShape: shape(-1), floatVal: [1] }, /not a size/],
    [{ dtype: FLOAT, tensorShape: { unknownRank: true }, floatVal: [1] }, /rank is not known/],
    [{ dtype: FLOAT, tensorShape: shape(2 ** 20), floatVal: [1] }, /too many for a message/],
    [{ dtype: FLOAT, tensorShape: shape(2 ** 40, 2 ** 40), floatVal: [1] }, /too many for a message/],
    [
      { dtype: STRING, tensorShape: shape(100_000), stringVal: [Buffer.alloc(100)] },
      /too many for a message/,
    ],
    [{ dtype: UINT8, tensorShape: shape(1), intVal: [256] }, /does not fit UINT8/],
    [{ dtype: INT8, tensorShape: shape(1), intVal: [-129] }, /does not fit INT8/],
  ] as const)
    assert.throws(() => input(tensor), { code: "invalid_argument", message: words }, String(words));
  for (const spec of [
    { name: "m", signatureName: "other" },
    { name: "m", versionChoice: { case: "versionLabel", value: "stable" } },
  ])
    assert.throws(() => decodeTensorflowPredict(message({ dtype: FLOAT }, spec), HOW, {}), {
      code: "invalid_argument",
    });
});

test("large tensors are read step by step, and come out the same", () => {
  const bytes = message({
    dtype: INT64,
    tensorShape: shape(50_000),
    int64Val: Array.from({ length: 49_999 }, (_, i) => BigInt(i)),
  });
  const late: LateWork[] = [];
  const { inputs } = decodeTensorflowPredict(bytes, HOW, { late });
  assert.equal(inputs[0]!.bytes.length, 0);
  let steps = 0;
  while (!late[0]!.step(8192)) steps += 1;
  assert.ok(steps >= 5, `${steps} steps`);
  const values = new BigInt64Array(inputs[0]!.bytes.slice().buffer);
  assert.deepEqual([values[49_998], values[49_999]], [49_998n, 49_998n]);
});

test("whatever bytes come, the reader says what is wrong and nothing else", () => {
  const whole = message({ dtype: FLOAT, tensorShape: shape(1, 2), floatVal: [1, 2] });
  const mangled = fc
    .tuple(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length))
    .map(([at, byte, end]) => {
      const bytes = Uint8Array.from(whole.subarray(0, end));
      if (at < end) bytes[at] = byte;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(mangled, fc.uint8Array({ maxLength: 64 })), (bytes) => {
      try {
        decodeTensorflowPredict(bytes, HOW, {});
      } catch (error) {
        assert.equal((error as { code?: string }).code, "invalid_argument");
      }
    }),
    { numRuns: 2000 },
  );
});

test("responses have elements in the fields of their types, as TensorFlow Serving's do", () => {
  const tensor = (name: string, datatype: NamedTensor["datatype"], sizes: number[], bytes: Uint8Array) => ({
    name,
    datatype,
    shape: sizes,
    bytes,
  });
  const outputs = [
    tensor("f", "FP32", [1, 2], new Uint8Array(Float32Array.of(1, -2).buffer)),
    tensor("i", "INT32", [2], new Uint8Array(Int32Array.of(-1, 300).buffer)),
    tensor("l", "INT64", [1], new Uint8Array(BigInt64Array.of(-5n).buffer)),
    tensor("s", "BYTES", [1], Buffer.from("\x01\0\0\0a", "latin1")),
    tensor("b", "BOOL", [2], Uint8Array.of(1, 0)),
    tensor("h", "FP16", [1], Uint8Array.of(0, 0x3c)),
    tensor("z", "FP32", [0, 3], new Uint8Array(0)),
    tensor("scalar", "FP64", [], new Uint8Array(Float64Array.of(0.5).buffer)),
  ];
  const response = { model: "m", version: "300", id: undefined, parameters: new Map(), outputs };
  const bytes = encodeTensorflowPredict(response, { allocate: (size) => new Uint8Array(size) });
  const { modelSpec, outputs: given } = fromBinary(PredictResponseSchema, bytes);
  assert.deepEqual(
    [modelSpec?.name, modelSpec?.versionChoice.value, modelSpec?.signatureName].map((value) =>
      typeof value === "object" ? value.value : value,
    ),
    ["m", 300n, "serving_default"],
  );
  assert.deepEqual(given["f"]?.floatVal, [1, -2]);
  assert.deepEqual(
    given["f"]?.tensorShape?.dim.map(({ size }) => size),
    [1n, 2n],
  );
  assert.deepEqual(given["i"]?.intVal, [-1, 300]);
  assert.deepEqual(given["l"]?.int64Val, [-5n]);
  assert.deepEqual(given["s"]?.stringVal.map(String), ["97"]);
  assert.deepEqual(given["b"]?.boolVal, [true, false]);
  assert.deepEqual([...given["h"]!.tensorContent], [0, 0x3c]);
  assert.deepEqual(
    given["z"]?.tensorShape?.dim.map(({ size }) => size),
    [0n, 3n],
  );
  assert.deepEqual(given["scalar"]?.doubleVal, [0.5]);
});
