import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { DATATYPES, elementBytes } from "../datatype.ts";
import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
  ModelStreamInferResponseSchema,
} from "../gen/inference/grpc_service_pb.ts";
import { packBytes } from "../packed-bytes.ts";
import type { NamedTensor } from "../tensor.ts";
import { decodeModelInferRequest } from "./model-infer.ts";
import { encodeTypedInferResponse, encodeTypedStreamInferResponse } from "./typed-response.ts";
import type { WireResponse } from "./wire-response.ts";

const TYPED = DATATYPES.filter((datatype) => datatype !== "FP16" && datatype !== "BF16");

const tensor: fc.Arbitrary<NamedTensor> = fc
  .tuple(
    fc.constantFrom(...TYPED),
    fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { maxLength: 30 }),
  )
  .map(([datatype, elements]) => {
    const width = elementBytes(datatype);
    const parts = elements.map((element) =>
      datatype === "BOOL" ? element.map((byte) => byte & 1) : element,
    );
    const bytes =
      datatype === "BYTES" ? packBytes(parts) : Buffer.concat(parts.map((part) => part.subarray(0, width)));
    return { name: "y", datatype, shape: [elements.length], bytes: quieted(datatype, new Uint8Array(bytes)) };
  });

/** The reader of the test turns FP32 into numbers, and a processor quiets a signalling NaN when it widens one. */
function quieted(datatype: NamedTensor["datatype"], bytes: Uint8Array): Uint8Array {
  if (datatype === "FP32") {
    const bits = new Uint32Array(bytes.buffer);
    for (let at = 0; at < bits.length; at++)
      if (((bits[at]! >>> 23) & 0xff) === 0xff && (bits[at]! & 0x7fffff) !== 0) bits[at]! |= 0x400000;
  }
  return bytes;
}

function response(outputs: readonly NamedTensor[]): WireResponse {
  return { model: "m", version: "1", id: "seven", parameters: new Map([["a", true]]), outputs };
}

test("typed contents of a response are what those of a request mean", () => {
  fc.assert(
    fc.property(fc.array(tensor, { maxLength: 4 }), (outputs) => {
      const answer = fromBinary(ModelInferResponseSchema, encodeTypedInferResponse(response(outputs)));
      assert.deepEqual([answer.modelName, answer.modelVersion, answer.id], ["m", "1", "seven"]);
      assert.equal(answer.rawOutputContents.length, 0);
      const inputs = answer.outputs.map(({ $typeName: _, $unknown: __, ...own }) => own);
      const request = create(ModelInferRequestSchema, {
        inputs: inputs.map((input) => ({ ...input, parameters: {} })),
      });
      const decoded = decodeModelInferRequest(toBinary(ModelInferRequestSchema, request));
      assert.deepEqual(
        decoded.inputs.map(({ datatype, shape, bytes }) => [datatype, shape, Buffer.from(bytes)]),
        outputs.map(({ datatype, shape, bytes }) => [datatype, shape, Buffer.from(bytes)]),
      );
      const streamed = encodeTypedStreamInferResponse(response(outputs));
      assert.deepEqual(fromBinary(ModelStreamInferResponseSchema, streamed).inferResponse, answer);
    }),
  );
});

test("every bit of a number is sent as it is, a signalling NaN's too", () => {
  const signalling = { FP32: [1, 0, 0x80, 0x7f], FP64: [1, 0, 0, 0, 0, 0, 0xf0, 0x7f] } as const;
  for (const [datatype, bits] of Object.entries(signalling)) {
    const output = {
      name: "y",
      datatype: datatype as "FP32" | "FP64",
      shape: [1],
      bytes: Uint8Array.from(bits),
    };
    assert.ok(
      Buffer.from(encodeTypedInferResponse(response([output]))).includes(Buffer.from(bits)),
      datatype,
    );
  }
});

test("a response with a half-precision output is raw", () => {
  const outputs = [
    { name: "y", datatype: "FP16" as const, shape: [1], bytes: Uint8Array.of(0, 0x3c) },
    { name: "z", datatype: "INT8" as const, shape: [1], bytes: Uint8Array.of(7) },
  ];
  for (const answer of [
    fromBinary(ModelInferResponseSchema, encodeTypedInferResponse(response(outputs))),
    fromBinary(ModelStreamInferResponseSchema, encodeTypedStreamInferResponse(response(outputs)))
      .inferResponse!,
  ])
    assert.deepEqual(answer.rawOutputContents, [Uint8Array.of(0, 0x3c), Uint8Array.of(7)]);
});
