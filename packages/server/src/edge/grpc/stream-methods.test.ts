import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
  type ModelStreamInferResponse,
  ModelStreamInferResponseSchema,
  ServerLiveRequestSchema,
  ServerLiveResponseSchema,
  sconceV1,
} from "@sconce/protocol/messages";
import type { ServeError } from "../../base/errors.ts";
import { until } from "../../base/until.kit.ts";
import { collect, type GrpcRig, withGrpc } from "./grpc-rig.kit.ts";

const STREAM = "/inference.GRPCInferenceService/ModelStreamInfer";
const TYPES = [ModelInferRequestSchema, ModelStreamInferResponseSchema] as const;
const PREDICT = "/sconce.v1.ModelServing/StreamPredict";
const PREDICT_TYPES = [sconceV1.InputDataSchema, sconceV1.PredictionResultSchema] as const;

/** A request that is answered at once, with these parameters. */
function quick(id: string, extra: Record<string, boolean> = {}) {
  const choice = (value: boolean) => ({ parameterChoice: { case: "boolParam" as const, value } });
  return create(ModelInferRequestSchema, {
    modelName: "identity",
    id,
    parameters: Object.fromEntries(Object.entries(extra).map(([key, value]) => [key, choice(value)])),
  });
}

/** A request that runs until the test says `release`. */
function held(id: string) {
  return create(ModelInferRequestSchema, { modelName: "held", id });
}

function openStream({ stream }: GrpcRig, headers?: Record<string, string>) {
  return stream(STREAM, TYPES, headers);
}

function ids(messages: readonly ModelStreamInferResponse[]): (string | undefined)[] {
  return messages.map((message) => message.inferResponse?.id);
}

test("requests of a stream run side by side and are answered when ready", async () => {
  await withGrpc({}, async (rig) => {
    const stream = openStream(rig);
    const order = ["early", "middle", "late"];
    for (const id of order.toReversed()) stream.write(held(id));
    stream.end();
    const ended = collect(stream);
    await until("all three run", () => rig.inference.running === 3);
    for (const [index, id] of order.entries()) {
      rig.inference.release(id);
      await until(`"${id}" was answered`, () => rig.inference.running === 2 - index);
    }
    const { messages, status } = await ended;
    assert.deepEqual(ids(messages), order);
    assert.equal(rig.inference.peak, 3);
    assert.equal(status.code, 0);
  });
});

test("bad messages are answered with their id and the stream goes on", async () => {
  await withGrpc({}, async (rig) => {
    const stream = openStream(rig);
    stream.write(create(ModelInferRequestSchema, { modelName: "nope", id: "a" }));
    const truncatedAfterId = Buffer.from([0x1a, 1, 0x62, 0x2a, 9]);
    stream.write(truncatedAfterId);
    stream.write(Buffer.from([0xff, 0xff]));
    stream.write(Buffer.alloc(0));
    stream.write(quick("good"));
    stream.end();
    const { messages, status } = await collect(stream);
    assert.deepEqual(ids(messages).sort(), ["", "", "a", "b", "good"]);
    const byId = (id: string) => messages.find((message) => message.inferResponse?.id === id)?.errorMessage;
    assert.equal(byId("a"), 'there is no model "nope"');
    assert.match(byId("b") ?? "", /not valid protobuf/);
    assert.equal(byId("good"), "");
    assert.equal(status.code, 0);
  });
});

test("with triton_grpc_error the first failure is the status of the stream", async () => {
  await withGrpc({}, async (rig) => {
    const stream = openStream(rig, { triton_grpc_error: "true" });
    stream.write(held("cut off"));
    await until("it runs", () => rig.inference.running === 1);
    stream.write(create(ModelInferRequestSchema, { modelName: "nope" }));
    const { messages, status } = await collect(stream);
    assert.deepEqual([messages.length, status.code], [0, 5]);
    await until("nothing runs", () => rig.inference.running === 0);
  });
});

test("the final flag is there for who asks for it; other triton_ parameters are rejected", async () => {
  await withGrpc({}, async (rig) => {
    const stream = openStream(rig);
    stream.write(quick("asks", { triton_enable_empty_final_response: true }));
    stream.write(quick("does not"));
    stream.write(quick("wrong", { triton_nonsense: true }));
    stream.end();
    const { messages } = await collect(stream);
    const of = (id: string) => messages.find((message) => message.inferResponse?.id === id);
    const flag = of("asks")?.inferResponse?.parameters["triton_final_response"]?.parameterChoice;
    assert.deepEqual(flag, { case: "boolParam", value: true });
    assert.deepEqual(of("does not")?.inferResponse?.parameters, {});
    assert.match(of("wrong")?.errorMessage ?? "", /triton_nonsense/);
  });
});

test("cancelling the stream stops all of its work", async () => {
  await withGrpc({}, async (rig) => {
    const stream = openStream(rig);
    stream.on("error", () => {});
    for (let i = 0; i < 10; i++) stream.write(held(String(i)));
    await until("all ten run", () => rig.inference.running === 10);
    stream.cancel();
    await until("nothing runs", () => rig.inference.running === 0);
    assert.ok(
      rig.inference.started.every(
        ({ signal }) => signal.aborted && (signal.reason as ServeError).code === "cancelled",
      ),
    );
  });
});

test("in flight per stream: n − 1 and n run at once, of n + 1 one waits unread", async () => {
  for (const [sent, expected] of [
    [3, 3],
    [4, 4],
    [5, 4],
  ] as const) {
    await withGrpc({ limits: { maxInFlightPerStream: 4 } }, async (rig) => {
      const stream = openStream(rig);
      for (let i = 0; i < sent; i++) stream.write(held(String(i)));
      stream.end();
      await until(`${expected} run`, () => rig.inference.started.length >= expected);
      // What comes later on the same connection is answered, so all messages of the stream have arrived.
      await rig.unary(
        "/inference.GRPCInferenceService/ServerLive",
        [ServerLiveRequestSchema, ServerLiveResponseSchema],
        create(ServerLiveRequestSchema),
      );
      assert.equal(rig.inference.started.length, expected, `run at once of ${sent}`);
      rig.inference.release();
      assert.equal((await collect(stream)).messages.length, sent);
      assert.equal(rig.inference.peak, expected);
    });
  }
});

/** A message in gRPC's frame: no compression, four bytes of length. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

test("a client that does not read is not served ahead without bound", async () => {
  await withGrpc({ limits: { maxInFlightPerStream: 2 } }, async (rig) => {
    const session = connect(`http://127.0.0.1:${rig.port}`);
    const headers = {
      ":method": "POST",
      ":path": STREAM,
      "content-type": "application/grpc",
      te: "trailers",
    };
    const stream = session.request(headers);
    const raw = Buffer.alloc(256 * 1024);
    const inputs = [{ name: "x", datatype: "UINT8", shape: [BigInt(raw.length)] }];
    const request = create(ModelInferRequestSchema, {
      modelName: "identity",
      inputs,
      rawInputContents: [raw],
    });
    for (let i = 0; i < 12; i++) stream.write(framed(toBinary(ModelInferRequestSchema, request)));
    stream.end();
    await until("two run", () => rig.inference.started.length >= 2);
    // The response to a ping comes after everything that the server had to say before.
    for (let i = 0; i < 3; i++) await new Promise((resolve) => session.ping(resolve));
    // One answer exceeds the client's window of 64 KiB, so nothing was flushed and only the allowed two were run.
    assert.equal(rig.inference.started.length, 2);
    stream.resume();
    await once(stream, "end");
    assert.equal(rig.inference.started.length, 12);
    session.close();
  });
});

test("a request's own deadline ends that request, not the stream", async () => {
  await withGrpc({}, async (rig) => {
    const stream = rig.stream(PREDICT, PREDICT_TYPES);
    stream.write(create(sconceV1.InputDataSchema, { model: "held", id: "impatient", timeoutMs: 15 }));
    stream.write(create(sconceV1.InputDataSchema, { id: "patient" }));
    stream.end();
    const ended = collect(stream);
    await until(
      "the impatient one was given up",
      () => rig.inference.started.some(({ id }) => id === "patient") && rig.inference.running === 1,
    );
    rig.inference.release("patient");
    const { messages, status } = await ended;
    assert.deepEqual(
      messages.map(({ id, error }) => [id, error?.code]),
      [
        ["impatient", "deadline_exceeded"],
        ["patient", undefined],
      ],
    );
    assert.equal(status.code, 0);
  });
});

test("the longest timeout that fits the field is not an instant one", async () => {
  await withGrpc({}, async (rig) => {
    const stream = rig.stream(PREDICT, PREDICT_TYPES);
    const parameters = { delay_ms: { kind: { case: "int" as const, value: 10n } } };
    stream.write(create(sconceV1.InputDataSchema, { model: "slow", timeoutMs: 2 ** 32 - 1, parameters }));
    stream.end();
    assert.equal((await collect(stream)).messages[0]?.error, undefined);
  });
});

test("StreamPredict: the model is remembered, failures are error objects", async () => {
  await withGrpc({}, async (rig) => {
    const stream = rig.stream(PREDICT, PREDICT_TYPES);
    const inputs = [{ name: "x", datatype: "FP32", shape: [2n], contents: { floats: [1, 2] } }];
    stream.write(create(sconceV1.InputDataSchema, { model: "affine", id: "1", inputs }));
    stream.write(create(sconceV1.InputDataSchema, { id: "2", inputs }));
    stream.write(create(sconceV1.InputDataSchema, { model: "busy", id: "3" }));
    stream.end();
    const { messages } = await collect(stream);
    const byId = new Map(messages.map((message) => [message.id, message]));
    for (const id of ["1", "2"]) {
      assert.equal(byId.get(id)?.model, "affine");
      assert.deepEqual([...new Float32Array(Uint8Array.from(byId.get(id)!.outputs[0]!.raw).buffer)], [3, 5]);
    }
    const { error } = byId.get("3")!;
    assert.deepEqual([error?.code, error?.reason, error?.retryAfterMs], ["unavailable", "queue_full", 13]);
    assert.equal(error?.message, "the queue is full");
  });
});

test("streams: a model without room rejects before the tensors are decoded, by id and name, and is remembered", async () => {
  const inputs = [{ name: "x", datatype: "NONSENSE", shape: [-1n] }];
  await withGrpc({}, async (rig) => {
    const stream = rig.stream(PREDICT, PREDICT_TYPES);
    stream.write(create(sconceV1.InputDataSchema, { model: "full", id: "1", inputs }));
    stream.write(create(sconceV1.InputDataSchema, { id: "2" }));
    stream.end();
    const { messages } = await collect(stream);
    assert.deepEqual(
      messages.map(({ id, model, error }) => [id, model, error?.reason]),
      [
        ["1", "full", "queue_full"],
        ["2", "full", "internal"],
      ],
    );
  });
  await withGrpc({}, async (rig) => {
    const stream = openStream(rig);
    stream.write(create(ModelInferRequestSchema, { modelName: "full", id: "1", inputs }));
    stream.end();
    const { messages } = await collect(stream);
    assert.deepEqual(
      messages.map((message) => [message.inferResponse?.id, message.errorMessage]),
      [["1", "no room for undefined"]],
    );
  });
});

test("a drain lets requests in flight finish and ends idle streams with UNAVAILABLE", async () => {
  await withGrpc({}, async (rig) => {
    const idle = openStream(rig);
    idle.write(quick("idle"));
    await once(idle, "data");
    const busy = openStream(rig);
    busy.write(held("busy"));
    await until("it runs", () => rig.inference.running === 1);
    const ended = [collect(idle), collect(busy)] as const;
    const closed = rig.edge.close();
    await ended[0];
    rig.inference.release();
    await closed;
    const [idleEnd, busyEnd] = await Promise.all(ended);
    assert.equal(idleEnd.status.code, 14);
    assert.deepEqual(ids(busyEnd.messages), ["busy"]);
    assert.equal(busyEnd.status.code, 14);
    assert.equal(rig.edge.connectionCount(), 0);
  });
});

test("a drain answers messages that lay unread on a stream because too many were in flight", async () => {
  await withGrpc({ limits: { maxInFlightPerStream: 2 } }, async (rig) => {
    const stream = openStream(rig);
    const sent = Array.from({ length: 12 }, (_, index) => String(index));
    for (const id of sent) stream.write(held(id));
    await until("two run", () => rig.inference.running === 2);
    const ended = collect(stream);
    const closed = rig.edge.close();
    rig.inference.release();
    await closed;
    const { messages, status } = await ended;
    assert.deepEqual(
      ids(messages).sort((a, b) => Number(a) - Number(b)),
      sent,
    );
    assert.equal(status.code, 14);
  });
});

test("a stream may answer as MLServer does: the answers of ModelInfer, and a failure ends it", async () => {
  const types = [ModelInferRequestSchema, ModelInferResponseSchema] as const;
  await withGrpc({ edge: { streamResponses: "mlserver", typedResponses: "auto" } }, async ({ stream }) => {
    const well = stream(STREAM, types);
    for (const id of ["a", "b"]) well.write(quick(id));
    well.write(quick("c", { triton_enable_empty_final_response: true }));
    well.end();
    const { messages, status } = await collect(well);
    assert.equal(status.code, 0);
    assert.deepEqual(messages.map(({ id, modelName }) => [id, modelName]).sort(), [
      ["a", "identity"],
      ["b", "identity"],
      ["c", "identity"],
    ]);
    assert.ok("triton_final_response" in messages.find(({ id }) => id === "c")!.parameters);
    const ill = stream(STREAM, types);
    ill.write(create(ModelInferRequestSchema, { modelName: "nope" }));
    ill.end();
    const ended = await collect(ill);
    assert.deepEqual([ended.status.code, ended.messages], [5, []]);
  });
});
