import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { DATATYPES, type Datatype, elementBytes } from "../datatype.ts";
import {
  type InferParameter,
  InferParameterSchema,
  type InferTensorContents,
  InferTensorContentsSchema,
  ModelInferRequestSchema,
  ModelInferResponseSchema,
  ModelStreamInferResponseSchema,
} from "../gen/inference/grpc_service_pb.ts";
import { ServeError } from "../serve-error.ts";
import { DEFAULT_CODEC_LIMITS } from "./codec-limits.ts";
import type { InferParameterValue } from "./infer-parameters.ts";
import {
  decodeModelInferRequest,
  encodeModelInferResponse,
  encodeModelStreamInferResponse,
} from "./model-infer.ts";
import { peekRequestId } from "./peek-id.ts";
import { peekModel } from "./peek-model.ts";
import type { WireResponse } from "./wire-response.ts";
import type { LateWork } from "./wire-tensor.ts";

/** Records with the ordinary prototype, so that deepEqual compares them with literals. */
function plainRecord<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(shape, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const text = fc.string({ unit: "binary", maxLength: 12 });
const nameOf = fc.string({ minLength: 1, maxLength: 8 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const parameter: fc.Arbitrary<InferParameter> = fc
  .oneof(
    fc.boolean().map((value) => ({ case: "boolParam" as const, value })),
    int64.map((value) => ({ case: "int64Param" as const, value })),
    text.map((value) => ({ case: "stringParam" as const, value })),
    fc.double().map((value) => ({ case: "doubleParam" as const, value })),
    uint64.map((value) => ({ case: "uint64Param" as const, value })),
  )
  .map((parameterChoice) => create(InferParameterSchema, { parameterChoice }));

/** What the hot codec makes of a parameter: integers that a number holds exactly are numbers. */
function plain({ parameterChoice: { value } }: InferParameter): InferParameterValue {
  assert.ok(value !== undefined);
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** A typed tensor, its elements in the message, and the bytes they must become. */
interface Typed {
  readonly datatype: Datatype;
  readonly contents: InferTensorContents;
  readonly bytes: Uint8Array;
  readonly count: number;
}

function typed<T>(
  datatype: Datatype,
  element: fc.Arbitrary<T>,
  fill: (values: T[]) => MessageInitShape<typeof InferTensorContentsSchema>,
  write: (view: DataView, at: number, value: T) => void,
): fc.Arbitrary<Typed> {
  const width = elementBytes(datatype);
  return fc.array(element, { maxLength: 40 }).map((values) => {
    const bytes = new Uint8Array(values.length * width);
    const view = new DataView(bytes.buffer);
    values.forEach((value, i) => {
      write(view, i * width, value);
    });
    const contents = create(InferTensorContentsSchema, fill(values));
    return { datatype, contents, bytes, count: values.length };
  });
}

function signed(bits: number): fc.Arbitrary<number> {
  return fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
}

function unsigned(bits: number): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 2 ** bits - 1 });
}

const ints = (intContents: number[]) => ({ intContents });
const uints = (uintContents: number[]) => ({ uintContents });

const typedTensor: fc.Arbitrary<Typed> = fc.oneof(
  typed(
    "BOOL",
    fc.boolean(),
    (boolContents) => ({ boolContents }),
    (v, at, x) => v.setUint8(at, x ? 1 : 0),
  ),
  typed("INT8", signed(8), ints, (v, at, x) => v.setInt8(at, x)),
  typed("INT16", signed(16), ints, (v, at, x) => v.setInt16(at, x, true)),
  typed("INT32", signed(32), ints, (v, at, x) => v.setInt32(at, x, true)),
  typed(
    "INT64",
    int64,
    (int64Contents) => ({ int64Contents }),
    (v, at, x) => v.setBigInt64(at, x, true),
  ),
  typed("UINT8", unsigned(8), uints, (v, at, x) => v.setUint8(at, x)),
  typed("UINT16", unsigned(16), uints, (v, at, x) => v.setUint16(at, x, true)),
  typed("UINT32", unsigned(32), uints, (v, at, x) => v.setUint32(at, x, true)),
  typed(
    "UINT64",
    uint64,
    (uint64Contents) => ({ uint64Contents }),
    (v, at, x) => v.setBigUint64(at, x, true),
  ),
  typed(
    "FP32",
    fc.float(),
    (fp32Contents) => ({ fp32Contents }),
    (v, at, x) => v.setFloat32(at, x, true),
  ),
  typed(
    "FP64",
    fc.double(),
    (fp64Contents) => ({ fp64Contents }),
    (v, at, x) => v.setFloat64(at, x, true),
  ),
);

const parameters = fc.dictionary(nameOf, parameter, { maxKeys: 4 });
const head = { modelName: text, modelVersion: text, id: text, parameters };

const typedRequest = plainRecord({
  ...head,
  tensors: fc.array(fc.tuple(text, typedTensor), { maxLength: 4 }),
});
const rawRequest = plainRecord({
  ...head,
  outputs: fc.array(text, { maxLength: 3 }),
  tensors: fc.array(
    plainRecord({
      name: text,
      datatype: fc.constantFrom(...DATATYPES),
      shape: fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 4 }),
      bytes: fc.uint8Array({ maxLength: 40 }),
    }),
    { maxLength: 4 },
  ),
});

function checkHead(
  decoded: ReturnType<typeof decodeModelInferRequest>,
  sent: { modelName: string; modelVersion: string; id: string; parameters: Record<string, InferParameter> },
): void {
  assert.equal(decoded.model, sent.modelName);
  assert.equal(decoded.version ?? "", sent.modelVersion);
  assert.equal(decoded.id ?? "", sent.id);
  const expected = Object.entries(sent.parameters).map(([key, value]) => [key, plain(value)] as const);
  assert.deepEqual(decoded.parameters, new Map(expected));
}

/** What the beginning says of the model is right however short it is, or nothing. */
function checkPeek(
  bytes: Uint8Array,
  sent: { readonly modelName: string; readonly modelVersion: string },
): void {
  const model = { model: sent.modelName, version: sent.modelVersion === "" ? undefined : sent.modelVersion };
  for (let length = 0; length <= bytes.length; length++) {
    const peeked = peekModel(bytes.subarray(0, length));
    if (peeked !== undefined) assert.deepEqual(peeked, model);
  }
}

test("the model is known from the first byte after its name and version", () => {
  const message = { modelName: "digits", modelVersion: "3", inputs: [{ name: "x" }] };
  const bytes = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, message));
  const headBytes = 8 + 3;
  assert.equal(peekModel(bytes.subarray(0, headBytes)), undefined);
  assert.deepEqual(peekModel(bytes.subarray(0, headBytes + 1)), { model: "digits", version: "3" });
  assert.equal(peekModel(Uint8Array.of(0xff, 0xff)), undefined);
});

test("typed contents become little-endian bytes, as the generated codec and DataView have them", () => {
  fc.assert(
    fc.property(typedRequest, ({ tensors, ...sent }) => {
      const inputs = tensors.map(([name, { datatype, contents, count }]) => ({
        name,
        datatype,
        contents,
        shape: [BigInt(count)],
      }));
      const bytes = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { ...sent, inputs }));
      const decoded = decodeModelInferRequest(bytes);
      checkHead(decoded, sent);
      assert.deepEqual(
        decoded.inputs.map((input) => ({ ...input, bytes: Uint8Array.from(input.bytes) })),
        tensors.map(([name, { datatype, bytes, count }]) => ({ name, datatype, shape: [count], bytes })),
      );
      assert.equal(peekRequestId(bytes), sent.id);
      checkPeek(bytes, sent);
    }),
  );
});

test("large typed contents can be packed step by step, and come out the same; what is wrong with them is found then", () => {
  const ids = Array.from({ length: 70_000 }, (_, i) => i % 300);
  const texts = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`text ${i}`));
  const message = (datatype: Datatype, contents: MessageInitShape<typeof InferTensorContentsSchema>) =>
    toBinary(
      ModelInferRequestSchema,
      create(ModelInferRequestSchema, {
        modelName: "m",
        inputs: [
          { name: "x", datatype, shape: [1n], contents: create(InferTensorContentsSchema, contents) },
          { name: "small", datatype: "INT32", shape: [1n], contents: { intContents: [7] } },
        ],
      }),
    );
  for (const bytes of [
    message("INT16", { intContents: ids }),
    message("BYTES", { bytesContents: texts }),
    message("UINT64", { uint64Contents: ids.map(BigInt) }),
  ]) {
    const whole = decodeModelInferRequest(bytes);
    const late: LateWork[] = [];
    const { inputs } = decodeModelInferRequest(bytes, DEFAULT_CODEC_LIMITS, { late });
    assert.deepEqual([late.length, inputs[0]!.bytes.length, inputs[1]!.bytes.length], [1, 0, 4]);
    let steps = 1;
    while (!late[0]!.step(8_192)) steps += 1;
    assert.ok(steps >= 8, `${steps} steps`);
    assert.deepEqual(inputs, whole.inputs);
  }
  const late: LateWork[] = [];
  decodeModelInferRequest(message("INT8", { intContents: ids }), DEFAULT_CODEC_LIMITS, { late });
  assert.throws(() => late[0]!.step(1e9), /128 does not fit INT8/);
});

test("raw contents become views on the message", () => {
  fc.assert(
    fc.property(rawRequest, ({ tensors, outputs, ...sent }) => {
      const message = create(ModelInferRequestSchema, {
        ...sent,
        inputs: tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape: shape.map(BigInt) })),
        outputs: outputs.map((name) => ({ name })),
        rawInputContents: tensors.map(({ bytes }) => bytes),
      });
      const bytes = toBinary(ModelInferRequestSchema, message);
      const decoded = decodeModelInferRequest(bytes);
      checkHead(decoded, sent);
      assert.deepEqual(decoded.outputs ?? [], outputs);
      assert.deepEqual(
        decoded.inputs.map((input) => ({ ...input, bytes: Uint8Array.from(input.bytes) })),
        tensors.map(({ name, datatype, shape, bytes }) => ({ name, datatype, shape, bytes })),
      );
      for (const input of decoded.inputs) assert.equal(input.bytes.buffer, bytes.buffer);
    }),
  );
});

const answer: fc.Arbitrary<WireResponse> = plainRecord({
  model: text,
  version: text,
  id: fc.option(text, { nil: undefined }),
  parameters: fc
    .array(fc.tuple(nameOf, fc.oneof(fc.boolean(), text, fc.double(), fc.maxSafeInteger(), int64, uint64)), {
      maxLength: 3,
    })
    .map((entries) => new Map<string, InferParameterValue>(entries)),
  outputs: fc.array(
    plainRecord({
      name: text,
      datatype: fc.constantFrom(...DATATYPES),
      shape: fc.array(fc.maxSafeInteger().map(Math.abs), { maxLength: 4 }),
      bytes: fc.uint8Array({ maxLength: 300 }),
    }),
    { maxLength: 4 },
  ),
});

test("the generated codec reads every answer as it was meant", () => {
  fc.assert(
    fc.property(answer, (response) => {
      const decoded = fromBinary(ModelInferResponseSchema, encodeModelInferResponse(response));
      assert.deepEqual([decoded.modelName, decoded.modelVersion], [response.model, response.version]);
      assert.equal(decoded.id, response.id ?? "");
      assert.deepEqual(
        decoded.outputs.map(({ name, datatype, shape }, i) => {
          const bytes = Uint8Array.from(decoded.rawOutputContents[i]!);
          return { name, datatype, shape: shape.map(Number), bytes };
        }),
        response.outputs,
      );
      assert.equal(Object.keys(decoded.parameters).length, response.parameters.size);
      for (const [key, value] of response.parameters) {
        const got = decoded.parameters[key]?.parameterChoice.value;
        if (typeof value === "number" && typeof got === "bigint")
          assert.equal(Number(got), value === 0 ? 0 : value);
        else assert.deepEqual(got, value);
      }
    }),
  );
});

test("stream answers carry the error beside the answer", () => {
  fc.assert(
    fc.property(answer, text, (response, message) => {
      const decoded = fromBinary(
        ModelStreamInferResponseSchema,
        encodeModelStreamInferResponse(response, message),
      );
      assert.equal(decoded.errorMessage, message);
      assert.equal(decoded.inferResponse?.id, response.id ?? "");
      assert.equal(decoded.inferResponse?.outputs.length, response.outputs.length);
    }),
  );
});

function typedErrorOnly(bytes: Uint8Array): void {
  try {
    decodeModelInferRequest(bytes);
  } catch (error) {
    assert.ok(error instanceof ServeError, String(error));
    assert.ok(error.code === "invalid_argument" || error.code === "unimplemented", error.code);
  }
  peekRequestId(bytes);
}

test("cut, flipped and random bytes give a request or a typed error", () => {
  const valid = typedRequest.map(({ tensors, ...sent }) => {
    const inputs = tensors.map(([name, { datatype, contents }]) => ({
      name,
      datatype,
      contents,
      shape: [1n, 2n],
    }));
    return toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { ...sent, inputs }));
  });
  fc.assert(
    fc.property(
      valid,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      fc.nat(),
      (bytes, flips, cut) => {
        typedErrorOnly(bytes.subarray(0, cut % (bytes.length + 1)));
        for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value;
        typedErrorOnly(bytes);
      },
    ),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), typedErrorOnly), { numRuns: 1000 });
});
