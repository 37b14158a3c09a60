import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { DATATYPES } from "../datatype.ts";
import {
  InputDataSchema,
  PredictionResultSchema,
  PredictRequestSchema,
} from "../gen/sconce/v1/model_serving_pb.ts";
import { ServeError } from "../serve-error.ts";
import { decodePredictRequest, encodePredictionResult } from "./predict.ts";

/** Records with the ordinary prototype, so that deepEqual compares them with literals. */
function plainRecord<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(shape, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const text = fc.string({ unit: "binary", maxLength: 12 });
const tensor = plainRecord({
  name: text,
  datatype: fc.constantFrom(...DATATYPES),
  shape: fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 4 }),
  bytes: fc.uint8Array({ maxLength: 40 }),
});
const request = plainRecord({
  model: text,
  version: text,
  id: text,
  tensors: fc.array(tensor, { maxLength: 4 }),
  outputs: fc.array(text, { maxLength: 3 }),
  timeoutMs: fc.nat(2 ** 32 - 1),
});

test("PredictRequest and InputData decode to what the generated codec encoded", () => {
  fc.assert(
    fc.property(request, fc.boolean(), ({ tensors, ...sent }, isStream) => {
      const inputs = tensors.map(({ shape, bytes, ...rest }) => ({
        ...rest,
        shape: shape.map(BigInt),
        raw: bytes,
      }));
      const bytes = isStream
        ? toBinary(InputDataSchema, create(InputDataSchema, { ...sent, inputs }))
        : toBinary(PredictRequestSchema, create(PredictRequestSchema, { ...sent, inputs }));
      const decoded = decodePredictRequest(bytes);
      assert.deepEqual(
        [decoded.model, decoded.version ?? "", decoded.id ?? ""],
        [sent.model, sent.version, sent.id],
      );
      assert.deepEqual([decoded.outputs ?? [], decoded.timeoutMs], [sent.outputs, sent.timeoutMs]);
      assert.deepEqual(
        decoded.inputs.map((input) => ({ ...input, bytes: Uint8Array.from(input.bytes) })),
        tensors,
      );
    }),
  );
});

test("the generated codec reads answers, errors and timings as they were meant", () => {
  const error = plainRecord({ code: text, message: text, reason: text, retryAfterMs: fc.nat(2 ** 32 - 1) });
  const result = plainRecord({
    outputs: fc.array(tensor, { maxLength: 3 }),
    error: fc.option(error, { nil: undefined }),
    timings: fc.array(fc.oneof(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.constant(Number.NaN)), {
      minLength: 6,
      maxLength: 6,
    }),
  });
  fc.assert(
    fc.property(result, ({ outputs, error, timings }) => {
      const response = { model: "m", version: "1", id: "i", parameters: new Map([["p", 7]]), outputs };
      const bytes = encodePredictionResult(response, { timings, ...(error === undefined ? {} : { error }) });
      const decoded = fromBinary(PredictionResultSchema, bytes);
      assert.deepEqual(
        decoded.outputs.map(({ name, datatype, shape, raw }) => {
          return { name, datatype, shape: shape.map(Number), bytes: Uint8Array.from(raw) };
        }),
        outputs,
      );
      const { code = "", message = "", reason = "", retryAfterMs = 0 } = decoded.error ?? {};
      assert.deepEqual(
        { code, message, reason, retryAfterMs },
        error ?? { code: "", message: "", reason: "", retryAfterMs: 0 },
      );
      const { receiveMs, decodeMs, queueMs, batchMs, transferMs, computeMs } = decoded.timings!;
      const expected = timings.map((ms) => (Number.isNaN(ms) ? 0 : ms));
      assert.deepEqual([receiveMs, decodeMs, queueMs, batchMs, transferMs, computeMs], expected);
      assert.deepEqual(decoded.parameters["p"]?.kind, { case: "int", value: 7n });
    }),
  );
});

test("raw and typed elements in one tensor are rejected", () => {
  const inputs = [{ name: "x", datatype: "FP32", raw: new Uint8Array(4), contents: { floats: [1] } }];
  const bytes = toBinary(PredictRequestSchema, create(PredictRequestSchema, { inputs }));
  assert.throws(() => decodePredictRequest(bytes), { code: "invalid_argument", reason: "both_contents" });
});

test("random bytes give a request or a typed error", () => {
  const check = (bytes: Uint8Array) => {
    try {
      decodePredictRequest(bytes);
    } catch (error) {
      assert.ok(error instanceof ServeError && error.code === "invalid_argument", String(error));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 1000 });
});
