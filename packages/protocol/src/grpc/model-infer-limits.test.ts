// Tests the limits in model-infer.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ModelInferRequest_InferInputTensorSchema,
  ModelInferRequestSchema,
} from "../gen/inference/grpc_service_pb.ts";
import { DEFAULT_CODEC_LIMITS } from "./codec-limits.ts";
import { decodeModelInferRequest } from "./model-infer.ts";
import type { LateWork } from "./wire-tensor.ts";

function rejected(init: Parameters<typeof create<typeof ModelInferRequestSchema>>[1], reason: string): void {
  const bytes = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, init));
  assert.throws(() => decodeModelInferRequest(bytes), {
    name: "ServeError",
    code: "invalid_argument",
    reason,
  });
}

function accepted(init: Parameters<typeof create<typeof ModelInferRequestSchema>>[1]): void {
  decodeModelInferRequest(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, init)));
}

test("limits on tensors, dimensions, parameters and text hold at n − 1, n and n + 1", () => {
  const { maxTensors, maxDims, maxParameters, maxTextBytes, maxIdBytes, maxElementBytes } =
    DEFAULT_CODEC_LIMITS;
  const x = { name: "x", datatype: "FP32" };
  const parameter = { parameterChoice: { case: "boolParam" as const, value: true } };
  const made = {
    tensors: (n: number) => ({ inputs: Array(n - 1).fill(x), outputs: [{ name: "y" }] }),
    dims: (n: number) => ({ inputs: [{ ...x, shape: Array(n).fill(1n) }] }),
    parameters: (n: number) => ({
      parameters: Object.fromEntries(Array.from({ length: n }, (_, i) => [`p${i}`, parameter])),
    }),
    text: (n: number) => ({ modelName: "m".repeat(n) }),
    id: (n: number) => ({ id: "i".repeat(n) }),
    element: (n: number) => ({
      inputs: [{ name: "x", datatype: "BYTES", contents: { bytesContents: [new Uint8Array(n)] } }],
    }),
  };
  const limits = {
    tensors: maxTensors,
    dims: maxDims,
    parameters: maxParameters,
    text: maxTextBytes,
    id: maxIdBytes,
    element: maxElementBytes,
  };
  for (const key of Object.keys(limits) as (keyof typeof limits)[]) {
    accepted(made[key](limits[key] - 1));
    accepted(made[key](limits[key]));
    rejected(made[key](limits[key] + 1), "limit_exceeded");
  }
});

test("what makes no sense is rejected with its reason", () => {
  const x = { name: "x", datatype: "INT8", shape: [1n] };
  rejected({ inputs: [{ ...x, shape: [-1n] }] }, "bad_shape");
  rejected({ inputs: [{ ...x, shape: [2n ** 62n] }] }, "bad_shape");
  rejected({ inputs: [{ ...x, shape: [2n ** 40n, 2n ** 40n] }] }, "bad_shape");
  rejected({ inputs: [{ ...x, datatype: "FLOAT" }] }, "bad_datatype");
  rejected({ inputs: [x], rawInputContents: [new Uint8Array(1), new Uint8Array(1)] }, "raw_count");
  rejected(
    { inputs: [{ ...x, contents: { intContents: [1] } }], rawInputContents: [new Uint8Array(1)] },
    "both_contents",
  );
  rejected({ inputs: [{ ...x, contents: { fp32Contents: [1] } }] }, "wrong_contents");
  rejected({ inputs: [{ ...x, datatype: "FP16", contents: { fp32Contents: [1] } }] }, "wrong_contents");
  rejected({ inputs: [{ ...x, contents: { intContents: [128] } }] }, "out_of_range");
  rejected({ inputs: [{ ...x, contents: { intContents: [-129] } }] }, "out_of_range");
  rejected({ inputs: [{ ...x, datatype: "UINT8", contents: { uintContents: [256] } }] }, "out_of_range");
});

test("unknown words of shared memory and the classification of an input are rejected, not ignored", () => {
  const value = { parameterChoice: { case: "stringParam" as const, value: "r" } };
  const input = { name: "x", datatype: "FP32" };
  for (const init of [
    { inputs: [{ ...input, parameters: { shared_memory_device: value } }] },
    { inputs: [{ ...input, parameters: { classification: value } }] },
    { outputs: [{ name: "y", parameters: { shared_memory_device: value } }] },
  ]) {
    const bytes = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, init));
    assert.throws(() => decodeModelInferRequest(bytes), {
      code: "unimplemented",
      reason: "unsupported_parameter",
    });
  }
});

test("tensors in shared memory have a place and no bytes; sizes keep every digit", () => {
  const text = (value: string) => ({ parameterChoice: { case: "stringParam" as const, value } });
  const size = (value: bigint) => ({ parameterChoice: { case: "int64Param" as const, value } });
  const [x, plain] = [
    { name: "x", datatype: "FP32", shape: [1n] },
    { name: "z", datatype: "INT8", shape: [1n] },
  ];
  const region = { shared_memory_region: text("r"), shared_memory_byte_size: size(4n) };
  const decode = (init: object) =>
    decodeModelInferRequest(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, init)));
  const { inputs, places } = decode({
    inputs: [plain, { ...x, parameters: { ...region, shared_memory_offset: size(2n ** 62n) } }, plain],
    outputs: [{ name: "y", parameters: region }],
    rawInputContents: [Uint8Array.of(1), Uint8Array.of(2)],
  });
  assert.deepEqual(
    inputs.map(({ bytes }) => [...bytes]),
    [[1], [], [2]],
  );
  assert.deepEqual(places, {
    inputs: new Map([[1, { region: "r", offset: 2n ** 62n, byteSize: 4n }]]),
    outputs: new Map([["y", { region: "r", offset: 0n, byteSize: 4n }]]),
  });
  for (const parameters of [
    { shared_memory_region: text("r") },
    { shared_memory_byte_size: size(4n) },
    { ...region, shared_memory_byte_size: size(-1n) },
    { ...region, shared_memory_offset: text("0") },
    { ...region, shared_memory_region: size(1n) },
    { ...region, shared_memory_region: text("") },
  ]) {
    const wrong = { code: "invalid_argument", reason: "bad_parameter" };
    assert.throws(
      () => decode({ inputs: [{ ...x, parameters }] }),
      wrong,
      JSON.stringify(Object.keys(parameters)),
    );
    assert.throws(() => decode({ outputs: [{ name: "y", parameters }] }), wrong);
  }
  const contents = { fp32Contents: [1] };
  assert.throws(() => decode({ inputs: [{ ...x, contents, parameters: region }] }), {
    reason: "both_contents",
  });
});

test("how many classes an output is wanted as is a number, and 0 means the output itself", () => {
  const decode = (
    parameterChoice: { case: "int64Param"; value: bigint } | { case: "stringParam"; value: string },
  ) => {
    const outputs = [{ name: "y", parameters: { classification: { parameterChoice } } }, { name: "z" }];
    return decodeModelInferRequest(
      toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { outputs })),
    );
  };
  assert.deepEqual(decode({ case: "int64Param", value: 3n }).classify, new Map([["y", 3]]));
  assert.equal(decode({ case: "int64Param", value: 0n }).classify, undefined);
  for (const wrong of [
    { case: "int64Param" as const, value: -1n },
    { case: "int64Param" as const, value: 2n ** 60n },
    { case: "stringParam" as const, value: "3" },
  ])
    assert.throws(() => decode(wrong), { code: "invalid_argument", reason: "bad_parameter" });
});

test("repeated numbers may be unpacked, and a message may come in pieces", () => {
  const field = (tag: number, content: readonly number[]) => [tag, content.length, ...content];
  const unpackedFloats = [0x35, 0, 0, 0x80, 0x3f, 0x35, 0, 0, 0, 0x40];
  const name = field(0x0a, [0x78]);
  const datatype = field(
    0x12,
    [..."FP32"].map((c) => c.charCodeAt(0)),
  );
  const pieces = [...field(0x2a, unpackedFloats), ...field(0x2a, field(0x32, [0, 0, 0x40, 0x40]))];
  const tensor = [...pieces, ...name, ...datatype, 0x18, 3];
  const bytes = Uint8Array.from(field(0x2a, tensor));
  const [input] = decodeModelInferRequest(bytes).inputs;
  assert.deepEqual([...new Float32Array(Uint8Array.from(input!.bytes).buffer)], [1, 2, 3]);
  assert.deepEqual(input?.shape, [3]);
  const generated = fromBinary(ModelInferRequest_InferInputTensorSchema, Uint8Array.from(tensor));
  assert.deepEqual(generated.contents?.fp32Contents, [1, 2, 3]);
});

test("BYTES elements get their length prefix", () => {
  const contents = { bytesContents: [Uint8Array.of(1, 2), new Uint8Array(0)] };
  const inputs = [{ name: "x", datatype: "BYTES", shape: [2n], contents }];
  const bytes = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { inputs }));
  assert.deepEqual([...decodeModelInferRequest(bytes).inputs[0]!.bytes], [2, 0, 0, 0, 1, 2, 0, 0, 0, 0]);
});

test("groups are skipped to a depth, no deeper", () => {
  const nested = (depth: number) => Uint8Array.from([...Array(depth).fill(0x7b), ...Array(depth).fill(0x7c)]);
  decodeModelInferRequest(nested(32));
  assert.throws(() => decodeModelInferRequest(nested(33)), { reason: "malformed_message" });
  assert.throws(() => decodeModelInferRequest(nested(100_000)), { reason: "malformed_message" });
});

test("a message of nothing but fields that nobody knows is not read to its end", () => {
  const unknown = Buffer.alloc(1024 * 1024, Buffer.from([15 << 3, 0]));
  assert.throws(() => decodeModelInferRequest(unknown), /more than 32768 fields/);
  const name = Buffer.concat([Buffer.from([(1 << 3) | 2, 100]), Buffer.alloc(100, 0x61)]);
  const names = Buffer.concat(new Array<Buffer>(10_000).fill(name));
  assert.throws(() => decodeModelInferRequest(names), /too much text/);
  const contents = Buffer.concat([Buffer.from([(5 << 3) | 2, 0x80, 0x80, 0x40]), unknown]);
  const head = Buffer.from([(1 << 3) | 2, 1, 0x78, (2 << 3) | 2, 4, 0x46, 0x50, 0x33, 0x32]);
  const tensor = Buffer.concat([Buffer.from([(5 << 3) | 2, 0x8d, 0x80, 0x40]), head, contents]);
  const late: LateWork[] = [];
  decodeModelInferRequest(tensor, undefined, { late });
  let steps = 0;
  while (!late[0]!.step(8_192)) steps++;
  assert.ok(steps > 30, `${steps} pauses`);
});
