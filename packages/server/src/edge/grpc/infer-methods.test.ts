import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
  ModelStreamInferResponseSchema,
  sconceV1,
} from "@sconce/protocol/messages";
import { createByteBudget } from "../../gate/byte-budget.ts";
import { createMemoryRegions } from "../memory-regions.ts";
import { withGrpc } from "./grpc-rig.kit.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";
const TYPES = [ModelInferRequestSchema, ModelInferResponseSchema] as const;
const STREAM = "/inference.GRPCInferenceService/ModelStreamInfer";
const STREAM_TYPES = [ModelInferRequestSchema, ModelStreamInferResponseSchema] as const;
const PREDICT = "/sconce.v1.ModelServing/Predict";
const PREDICT_TYPES = [sconceV1.PredictRequestSchema, sconceV1.PredictionResultSchema] as const;

function floats(bytes: Uint8Array): number[] {
  return [...new Float32Array(Uint8Array.from(bytes).buffer)];
}

function bytesOf(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

function affine(values: readonly number[], raw: boolean) {
  const shape = [1n, BigInt(values.length)];
  const contents = raw ? {} : { contents: { fp32Contents: [...values] } };
  return create(ModelInferRequestSchema, {
    modelName: "affine",
    id: "seven",
    inputs: [{ name: "x", datatype: "FP32", shape, ...contents }],
    rawInputContents: raw ? [bytesOf(values)] : [],
  });
}

test("ModelInfer answers raw and typed inputs alike, raw", async () => {
  await withGrpc({}, async ({ unary }) => {
    for (const raw of [true, false]) {
      const { answer, trailers } = await unary(INFER, TYPES, affine([1, 2, -3], raw));
      assert.equal(answer.modelName, "affine");
      assert.equal(answer.modelVersion, "1");
      assert.equal(answer.id, "seven");
      assert.deepEqual(
        answer.outputs.map((o) => [o.name, o.datatype, o.shape]),
        [["y", "FP32", [1n, 3n]]],
      );
      assert.deepEqual(answer.rawOutputContents.map(floats), [[3, 5, -5]]);
      assert.match(String(trailers.get("server-timing")[0]), /^receive;dur=.*, total;dur=[\d.]+$/);
    }
  });
});

test("ModelInfer answers typed where the operator or the request asks for it", async () => {
  const parameters = (value: boolean) => ({
    typed_contents: { parameterChoice: { case: "boolParam" as const, value } },
  });
  for (const [typedResponses, raw, asked, isTyped] of [
    ["auto", true, undefined, false],
    ["auto", false, undefined, true],
    ["auto", false, false, false],
    ["always", true, undefined, true],
    ["never", false, undefined, false],
    ["never", true, true, true],
  ] as const) {
    await withGrpc({ edge: { typedResponses } }, async ({ unary }) => {
      const request = affine([1, 2, -3], raw);
      if (asked !== undefined)
        Object.assign(request, {
          parameters: create(ModelInferRequestSchema, { parameters: parameters(asked) }).parameters,
        });
      const { answer } = await unary(INFER, TYPES, request);
      const what = `${typedResponses} ${raw} ${asked}`;
      assert.deepEqual(answer.outputs[0]?.contents?.fp32Contents, isTyped ? [3, 5, -5] : undefined, what);
      assert.deepEqual(answer.rawOutputContents.map(floats), isTyped ? [] : [[3, 5, -5]], what);
    });
  }
});

test("a request without a model means the configured one, or the only one there is", async () => {
  const request = create(ModelInferRequestSchema, { ...affine([1, 2], true), modelName: "" });
  await withGrpc({ edge: { defaultModel: "affine" } }, async ({ unary }) => {
    const { answer } = await unary(INFER, TYPES, request);
    assert.deepEqual([answer.modelName, answer.rawOutputContents.map(floats)], ["affine", [[3, 5]]]);
  });
  await withGrpc({}, async ({ unary }) => {
    await assert.rejects(
      unary(INFER, TYPES, request),
      /there are several models \(affine, .*--default-model/,
    );
  });
});

test("Predict answers with tensors and timings", async () => {
  await withGrpc({}, async ({ unary }) => {
    const input = { name: "x", datatype: "FP32", shape: [2n] };
    for (const elements of [{ raw: bytesOf([1, 2]) }, { contents: { floats: [1, 2] } }]) {
      const message = create(sconceV1.PredictRequestSchema, {
        model: "affine",
        inputs: [{ ...input, ...elements }],
      });
      const { answer } = await unary(PREDICT, PREDICT_TYPES, message);
      assert.deepEqual(floats(answer.outputs[0]!.raw), [3, 5]);
      assert.equal(answer.error, undefined);
      assert.ok(answer.timings !== undefined && answer.timings.computeMs > 0);
    }
  });
});

test("failures are gRPC statuses with a reason, and the retry hint", async () => {
  await withGrpc({}, async ({ unary, outcomes }) => {
    const rejected = (modelName: string): Promise<ServiceError> =>
      unary(INFER, TYPES, create(ModelInferRequestSchema, { modelName })).then(
        () => assert.fail(`${modelName} answered`),
        (error: ServiceError) => error,
      );
    const missing = await rejected("nope");
    assert.deepEqual([missing.code, missing.metadata.get("sconce-reason")], [5, ["model_not_found"]]);
    const busy = await rejected("busy");
    assert.deepEqual([busy.code, busy.details], [14, "the queue is full"]);
    assert.deepEqual(busy.metadata.get("grpc-retry-pushback-ms"), ["13"]);
    const broken = await rejected("broken");
    assert.equal(broken.code, 13);
    assert.doesNotMatch(broken.details, /secret|home/);
    assert.equal((await rejected("")).code, 3);
    assert.deepEqual(
      outcomes.map((o) => o.code),
      ["not_found", "unavailable", "internal", "invalid_argument"],
    );
  });
});

test("the metadata that chooses a version of a rollout comes with the request, alone or in a stream", async () => {
  await withGrpc({ edge: { rolloutHeader: "x-rollout" } }, async ({ unary, stream, inference }) => {
    const keys: (string | undefined)[] = [];
    const submit = inference.submit.bind(inference);
    inference.submit = (request, receiver) => {
      keys.push(request.routeKey);
      submit(request, receiver);
    };
    const headers = { "x-rollout": "always" };
    await unary(INFER, TYPES, affine([1], true), { headers });
    await unary(INFER, TYPES, affine([1], true));
    const streamed = stream(STREAM, STREAM_TYPES, headers);
    streamed.write(affine([1], true));
    await once(streamed, "data");
    streamed.end();
    await once(streamed.resume(), "end");
    assert.deepEqual(keys, ["always", undefined, "always"]);
  });
});

test("a model without room rejects before the tensors are decoded, and the rejection counts as that model's", async () => {
  await withGrpc({ edge: { tenantHeader: "x-tenant" } }, async ({ unary, outcomes }) => {
    const call = { headers: { "x-tenant": "acme" }, call: { deadline: Date.now() + 60_000 } };
    const nonsense = { name: "x", datatype: "NONSENSE", shape: [-1n] };
    const rejected = [
      unary(INFER, TYPES, create(ModelInferRequestSchema, { modelName: "full", inputs: [nonsense] }), call),
      unary(
        PREDICT,
        PREDICT_TYPES,
        create(sconceV1.PredictRequestSchema, { model: "full", inputs: [nonsense] }),
        call,
      ),
    ];
    for (const rejection of rejected) {
      await assert.rejects(rejection, (error: ServiceError) => {
        assert.deepEqual([error.code, error.metadata.get("sconce-reason")], [14, ["queue_full"]]);
        assert.equal(error.details, "no room for acme in time");
        assert.deepEqual(error.metadata.get("grpc-retry-pushback-ms"), ["13"]);
        return true;
      });
    }
    assert.deepEqual(
      outcomes.map((o) => [o.asked, o.code]),
      [
        ["full", "unavailable"],
        ["full", "unavailable"],
      ],
    );
  });
});

test("a large message for a model without room is rejected at its beginning, and its rest is not kept", async () => {
  await withGrpc({}, async ({ port, unary, outcomes }) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const rest = Buffer.alloc(1_000_000);
    for (const [path, modelName, status] of [
      [INFER, "full", "14"],
      [PREDICT, "full", "14"],
      [INFER, "nope", "5"],
    ] as const) {
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      // Both dialects name the model first; a tensor follows.
      const name = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { modelName }));
      const head = Buffer.alloc(5);
      head.writeUInt32BE(name.length + rest.length, 1);
      stream.write(Buffer.concat([head, name, Buffer.from([0x2a])]));
      const signal = AbortSignal.timeout(60_000);
      const [answer] = (await once(stream, "response", { signal })) as [Record<string, string>];
      assert.equal(answer["grpc-status"], status);
      stream.end(rest.subarray(1));
      stream.resume();
      await once(stream, "close");
    }
    session.close();
    assert.deepEqual(
      outcomes.map((o) => [o.asked, o.code]),
      [
        ["full", "unavailable"],
        ["full", "unavailable"],
        ["nope", "not_found"],
      ],
    );
    assert.equal((await unary(INFER, TYPES, affine([1], true))).answer.id, "seven");
  });
});

test("bytes that are not message are INVALID_ARGUMENT, and the connection lives on", async () => {
  await withGrpc({}, async ({ unary }) => {
    for (const bytes of [[0xff], [0x0a, 0x05, 0x61], [0x0b], [0x2a, 0x02, 0x1a, 0xff]]) {
      await assert.rejects(unary(INFER, TYPES, Buffer.from(bytes)), { code: 3 });
    }
    assert.equal((await unary(INFER, TYPES, affine([1], true))).answer.id, "seven");
  });
});

test("a 32 MiB tensor goes both ways", async () => {
  await withGrpc({}, async ({ unary }) => {
    const raw = Buffer.alloc(32 * 1024 * 1024);
    for (let i = 0; i < raw.length; i += 4096) raw.writeUInt32LE(i, i);
    const inputs = [{ name: "x", datatype: "UINT8", shape: [BigInt(raw.length)] }];
    const message = create(ModelInferRequestSchema, {
      modelName: "identity",
      inputs,
      rawInputContents: [raw],
    });
    const { answer } = await unary(INFER, TYPES, message);
    assert.ok(raw.equals(answer.rawOutputContents[0]!));
  });
});

test("with shared memory inputs are read from a region and outputs written to it, and the bytes are paid for", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-regions-"));
  writeFileSync(join(folder, "memory"), Buffer.concat([bytesOf([1, 2]), Buffer.alloc(8)]));
  const regions = createMemoryRegions({ folder });
  regions.register({ name: "r", key: "/memory", offset: 0n, byteSize: 16n });
  const budget = createByteBudget({ maxBytes: 1024 ** 2, maxRequests: 10 });
  const place = (offset: bigint) => ({
    shared_memory_region: { parameterChoice: { case: "stringParam", value: "r" } },
    shared_memory_offset: { parameterChoice: { case: "int64Param", value: offset } },
    shared_memory_byte_size: { parameterChoice: { case: "int64Param", value: 8n } },
  });
  // Cases are spelled as literals, which the generated types do not take inside of maps.
  const request = (offset: bigint) =>
    create(ModelInferRequestSchema, {
      modelName: "affine",
      inputs: [{ name: "x", datatype: "FP32", shape: [1n, 2n], parameters: place(offset) }],
      outputs: [{ name: "y", parameters: place(8n) }],
    } as MessageInitShape<typeof ModelInferRequestSchema>);
  try {
    await withGrpc({ edge: { regions, budget } }, async ({ unary }) => {
      const { answer } = await unary(INFER, TYPES, request(0n));
      assert.deepEqual(answer.outputs[0]?.shape, [1n, 2n]);
      assert.deepEqual(
        answer.rawOutputContents.map((bytes) => bytes.length),
        [0],
      );
      assert.deepEqual(floats(readFileSync(join(folder, "memory"))), [1, 2, 3, 5]);
      await assert.rejects(unary(INFER, TYPES, request(9n)), /not all in it/);
      assert.deepEqual([budget.bytes, budget.requests], [0, 0]);
    });
    await withGrpc({}, ({ unary }) =>
      assert.rejects(unary(INFER, TYPES, request(0n)), /--shared-memory system/),
    );
  } finally {
    regions.unregister("");
    rmSync(folder, { recursive: true });
  }
});
