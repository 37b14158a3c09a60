import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ServeError } from "../base/errors.ts";
import type { Dim, Signature, TensorSpec } from "../base/signature.ts";
import { type Datatype, elementBytes, type NamedTensor } from "../base/tensor.ts";
import { compileInputCheck } from "./input-check.ts";

const BATCH = { symbol: "batch", min: 1, max: 64 };

function signatureOf(...inputs: readonly TensorSpec[]): Signature {
  return { inputs, outputs: [], batching: { kind: "on", symbol: "batch", maxRows: undefined } };
}

function tensor(name: string, datatype: Datatype, shape: readonly number[], bytes?: Uint8Array): NamedTensor {
  const size = shape.reduce((a, b) => a * b, elementBytes(datatype));
  return { name, datatype, shape, bytes: bytes ?? new Uint8Array(size) };
}

function strings(...values: readonly (string | number)[]): Uint8Array {
  const parts = values.map((value) => {
    if (typeof value === "number") return Buffer.from(Uint32Array.of(value).buffer);
    const length = Buffer.from(Uint32Array.of(Buffer.byteLength(value)).buffer);
    return Buffer.concat([length, Buffer.from(value)]);
  });
  return new Uint8Array(Buffer.concat(parts));
}

const image: TensorSpec = { name: "image", datatype: "FP32", dims: [BATCH, 1, 8, 8] };
const ids: TensorSpec = {
  name: "ids",
  datatype: "INT64",
  dims: [BATCH, { symbol: "seq", min: 0, max: undefined, multipleOf: 8 }],
};
const mask: TensorSpec = { ...ids, name: "mask" };
const token: TensorSpec = {
  name: "token",
  datatype: "INT64",
  dims: [BATCH, 2],
  indices: { min: 0, max: 9 },
};
const text: TensorSpec = { name: "text", datatype: "BYTES", dims: [BATCH] };

describe("messages", () => {
  const cases: readonly (readonly [readonly TensorSpec[], readonly NamedTensor[], string])[] = [
    [[image], [tensor("image", "FP32", [1, 3, 8, 8])], 'input "image": dimension 1 is 3, expected 1'],
    [
      [image],
      [tensor("image", "FP32", [65, 1, 8, 8])],
      'input "image": batch must be between 1 and 64, got 65',
    ],
    [
      [image],
      [tensor("image", "FP32", [0, 1, 8, 8])],
      'input "image": batch must be between 1 and 64, got 0',
    ],
    [
      [image],
      [tensor("image", "FP32", [-1, 1, 8, 8], new Uint8Array(4))],
      'input "image": batch must be between 1 and 64, got -1',
    ],
    [
      [image],
      [tensor("image", "FP32", [1.5, 1, 8, 8], new Uint8Array(4))],
      'input "image": batch must be a whole number, got 1.5',
    ],
    [
      [image],
      [tensor("image", "FP32", [Number.NaN, 1, 8, 8], new Uint8Array(4))],
      'input "image": batch must be between 1 and 64, got NaN',
    ],
    [[image], [tensor("image", "FP64", [1, 1, 8, 8])], 'input "image": datatype is FP64, expected FP32'],
    [
      [image],
      [tensor("image", "FP32", [1, 64])],
      'input "image": shape has 2 dimensions, expected 4: [batch, 1, 8, 8]',
    ],
    [
      [image],
      [tensor("image", "FP32", [1, 1, 8, 8], new Uint8Array(255))],
      'input "image": the data has 255 bytes, expected 256 for shape [1,1,8,8] of FP32',
    ],
    [
      [image],
      [tensor("picture", "FP32", [1, 1, 8, 8])],
      'input "picture": the model has no such input; it takes "image"',
    ],
    [[image], [], 'input "image" is missing; the model takes "image"'],
    [
      [image],
      [tensor("image", "FP32", [1, 1, 8, 8]), tensor("image", "FP32", [1, 1, 8, 8])],
      'input "image" is given twice',
    ],
    [
      [token],
      [tensor("token", "INT64", [1, 2], new Uint8Array(BigInt64Array.of(9n, -1n).buffer))],
      'input "token": element 1 is -1, but it is an index from 0 to 9',
    ],
    [
      [token],
      [tensor("token", "INT64", [1, 2], new Uint8Array(BigInt64Array.of(10n, -1n).buffer))],
      'input "token": element 0 is 10, but it is an index from 0 to 9',
    ],
    [
      [],
      [tensor("image", "FP32", [1, 1, 8, 8])],
      'input "image": the model has no such input; it takes no inputs',
    ],
    [[ids], [tensor("ids", "INT64", [1, 12])], 'input "ids": seq must be a multiple of 8, got 12'],
    [
      [ids, mask],
      [tensor("ids", "INT64", [2, 8]), tensor("mask", "INT64", [2, 16])],
      'input "mask": seq is 16, but it is 8 in input "ids"; they must be equal',
    ],
    [
      [ids, mask],
      [tensor("mask", "INT64", [1, 8]), tensor("ids", "INT64", [2, 8])],
      'input "mask": batch is 1, but it is 2 in input "ids"; they must be equal',
    ],
    [
      [ids],
      [tensor("ids", "INT64", [1, 2 ** 53 - 8], new Uint8Array(8))],
      'input "ids": the data has 8 bytes, expected 72057594037927870 for shape [1,9007199254740984] of INT64',
    ],
    [
      [text],
      [tensor("text", "BYTES", [2], strings("a"))],
      'input "text": the data has 1 element, expected 2',
    ],
    [
      [text],
      [tensor("text", "BYTES", [1], strings("a", "b"))],
      'input "text": the data goes on after the last of 1 element',
    ],
    [
      [text],
      [tensor("text", "BYTES", [1], strings(9))],
      'input "text": element 0 claims 9 bytes, but 0 are left',
    ],
    [
      [text],
      [tensor("text", "BYTES", [2], new Uint8Array([0, 0, 0, 0, 1, 0]))],
      'input "text": the data ends inside the length of element 1',
    ],
    [
      [text],
      [tensor("text", "BYTES", [1], strings(0xffffffff))],
      'input "text": element 0 has 4294967295 bytes, the limit is 1048576',
    ],
  ];
  for (const [specs, inputs, message] of cases) {
    test(message, () => {
      const check = compileInputCheck(signatureOf(...specs));
      assert.throws(() => check(inputs), { code: "invalid_argument", reason: "bad_input", message });
    });
  }

  test("a caller's own name is cut and free of control characters", () => {
    const check = compileInputCheck(signatureOf(image));
    const name = `\n\u001b[31m${"x".repeat(1000)}`;
    assert.throws(
      () => check([tensor(name, "FP32", [])]),
      (error: ServeError) => {
        return error.message.length < 150 && /^[\x20-\x7e…]*$/.test(error.message);
      },
    );
  });
});

test("elements overflow is refused even where a later dimension is huge", () => {
  const dims: Dim[] = ["a", "b", "c"].map((symbol) => ({ symbol, min: 0, max: undefined }));
  const check = compileInputCheck(signatureOf({ name: "x", datatype: "UINT8", dims }));
  const huge = {
    name: "x",
    datatype: "UINT8",
    shape: [2 ** 30, 2 ** 30, 2 ** 30],
    bytes: new Uint8Array(0),
  } as const;
  assert.throws(() => check([huge]), { message: 'input "x": the shape has too many elements' });
  check([{ ...huge, shape: [2 ** 30, 0, 2 ** 30] }]);
});

test("a string of exactly the limit passes, one byte more does not", () => {
  const check = compileInputCheck(signatureOf(text), { maxStringBytes: 5 });
  for (const value of ["1234", "12345"]) check([tensor("text", "BYTES", [1], strings(value))]);
  assert.throws(() => check([tensor("text", "BYTES", [1], strings("123456"))]), /the limit is 5/);
  const longer = compileInputCheck(signatureOf({ ...text, maxElementBytes: 6 }), { maxStringBytes: 5 });
  longer([tensor("text", "BYTES", [1], strings("123456"))]);
  assert.throws(() => longer([tensor("text", "BYTES", [1], strings("1234567"))]), /the limit is 6/);
});

test("inputs in signature order come back as they are; others are sorted", () => {
  const check = compileInputCheck(signatureOf(ids, mask));
  const inputs = [tensor("ids", "INT64", [1, 8]), tensor("mask", "INT64", [1, 8])];
  assert.equal(check(inputs), inputs);
  assert.deepEqual(check(inputs.toReversed()), inputs);
});

const DATATYPE = fc.constantFrom<Datatype>("FP32", "INT64", "UINT8", "BOOL", "FP16", "BYTES");
const SYMBOLS = ["batch", "n", "m"] as const;
const RANGES = {
  batch: { min: 0, max: 7, multipleOf: 1 },
  n: { min: 1, max: 9, multipleOf: 3 },
  m: { min: 0, max: undefined, multipleOf: 1 },
};
const DIM: fc.Arbitrary<Dim> = fc.oneof(
  fc.nat(3),
  fc.constantFrom(...SYMBOLS).map((symbol) => ({ symbol, ...RANGES[symbol] })),
);
const SIGNATURE = fc
  .array(fc.record({ datatype: DATATYPE, dims: fc.array(DIM, { maxLength: 3 }) }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((specs) => signatureOf(...specs.map((spec, index) => ({ name: `in${index}`, ...spec }))));
const SIZES = fc.record({ batch: fc.integer({ min: 1, max: 7 }), n: fc.constantFrom(3, 6, 9), m: fc.nat(4) });

function fitting(signature: Signature, sizes: Readonly<Record<string, number>>): NamedTensor[] {
  return signature.inputs.map((spec) => {
    const shape = spec.dims.map((dim) => (typeof dim === "number" ? dim : sizes[dim.symbol]!));
    const elements = shape.reduce((a, b) => a * b, 1);
    const bytes = spec.datatype === "BYTES" ? strings(...new Array<string>(elements).fill("ab")) : undefined;
    return tensor(spec.name, spec.datatype, shape, bytes);
  });
}

test("a request that fits is never refused, in any order", () => {
  fc.assert(
    fc.property(SIGNATURE, SIZES, fc.nat(), (signature, sizes, turn) => {
      const inputs = fitting(signature, sizes);
      const given = [...inputs.slice(turn % inputs.length), ...inputs.slice(0, turn % inputs.length)];
      assert.deepEqual(compileInputCheck(signature)(given), inputs);
    }),
  );
});

/** Every way to break one input of a request that fits. */
const BREAKS: readonly ((input: NamedTensor, spec: TensorSpec) => readonly NamedTensor[] | undefined)[] = [
  () => [],
  (input) => [input, input],
  (input) => [{ ...input, name: `${input.name}?` }],
  (input) => [input, { ...input, name: "extra" }],
  (input) => [{ ...input, datatype: input.datatype === "INT8" ? "FP64" : "INT8" }],
  (input) => [{ ...input, shape: [...input.shape, 1, 1] }],
  (input) => (input.shape.length > 0 ? [{ ...input, shape: input.shape.slice(1) }] : undefined),
  (input) => [{ ...input, bytes: new Uint8Array([...input.bytes, 0]) }],
  (input) => (input.bytes.length > 0 ? [{ ...input, bytes: input.bytes.subarray(1) }] : undefined),
  (input, spec) => brokenDim(input, spec, (size) => -size - 1),
  (input, spec) => brokenDim(input, spec, (size) => size + 0.5),
  (input, spec) => brokenDim(input, spec, () => Number.NaN),
  (input, spec) => brokenDim(input, spec, () => 2 ** 53),
  (input, spec) => brokenDim(input, spec, (size, dim) => (typeof dim === "number" ? size + 1 : undefined)),
  (input, spec) =>
    brokenDim(input, spec, (_, dim) =>
      typeof dim !== "number" && dim.max !== undefined ? dim.max + 1 : undefined,
    ),
  (input, spec) =>
    brokenDim(input, spec, (_, dim) => (typeof dim !== "number" && dim.min > 0 ? dim.min - 1 : undefined)),
];

function brokenDim(
  input: NamedTensor,
  spec: TensorSpec,
  change: (size: number, dim: Dim) => number | undefined,
): readonly NamedTensor[] | undefined {
  for (let axis = 0; axis < input.shape.length; axis++) {
    const size = change(input.shape[axis]!, spec.dims[axis]!);
    if (size !== undefined) return [{ ...input, shape: input.shape.with(axis, size) }];
  }
  return undefined;
}

test("a request that does not fit is always refused, with words about an input", () => {
  fc.assert(
    fc.property(SIGNATURE, SIZES, fc.nat(), fc.constantFrom(...BREAKS), (signature, sizes, nth, breakOne) => {
      const inputs = fitting(signature, sizes);
      const index = nth % inputs.length;
      const broken = breakOne(inputs[index]!, signature.inputs[index]!);
      fc.pre(broken !== undefined);
      const given = [...inputs.slice(0, index), ...broken, ...inputs.slice(index + 1)];
      const check = compileInputCheck(signature);
      assert.throws(
        () => check(given),
        (error) =>
          error instanceof ServeError &&
          error.code === "invalid_argument" &&
          error.message.startsWith("input "),
      );
      check(inputs);
    }),
    { numRuns: 1000 },
  );
});

describe("aliases", () => {
  const renamed = signatureOf({ ...token, aliases: ["TOKEN", "mask"] }, mask);
  const check = compileInputCheck(renamed);
  const inputs = [tensor("token", "INT64", [1, 2]), tensor("mask", "INT64", [1, 8])];

  test("stand for the name, which the checked inputs have", () => {
    const [first, second] = check([{ ...inputs[0]!, name: "TOKEN" }, inputs[1]!]);
    assert.deepEqual([first!.name, second!.name], ["token", "mask"]);
    assert.equal(first!.bytes, inputs[0]!.bytes);
  });

  test("lose against the name of another input", () => {
    assert.throws(() => check([inputs[1]!, { ...inputs[1]! }]), { message: 'input "mask" is given twice' });
  });

  test("count as their input when it is given twice", () => {
    const twice = [inputs[0]!, { ...inputs[0]!, name: "TOKEN" }];
    assert.throws(() => check(twice), { message: 'input "token" is given twice' });
  });
});

test("a scalar is taken in the shape that the configuration gives it, and nothing else is", () => {
  const rows = compileInputCheck(signatureOf({ name: "x", datatype: "FP32", dims: [BATCH] }, image));
  const picture = tensor("image", "FP32", [3, 1, 8, 8]);
  for (const shape of [[3], [3, 1]]) {
    const given = [tensor("x", "FP32", shape), picture];
    assert.deepEqual(rows(given)[0]!.shape, [3]);
    assert.deepEqual(given[0]!.shape, shape, "what was given is left as it is");
  }
  for (const shape of [[1, 3], [3, 1, 1], []])
    assert.throws(() => rows([tensor("x", "FP32", shape), picture]), { reason: "bad_input" });
  assert.throws(() => rows([tensor("x", "FP32", [3]), tensor("image", "FP32", [3, 1, 8, 8, 1])]), {
    reason: "bad_input",
  });
  const single = compileInputCheck({
    inputs: [{ name: "x", datatype: "FP32", dims: [] }],
    outputs: [],
    batching: { kind: "off", reason: "" },
  });
  for (const shape of [[], [1]]) assert.deepEqual(single([tensor("x", "FP32", shape)])[0]!.shape, []);
  assert.throws(() => single([tensor("x", "FP32", [1, 1])]), { reason: "bad_input" });
});
