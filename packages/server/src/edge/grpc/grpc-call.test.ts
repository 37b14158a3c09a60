import assert from "node:assert/strict";
import { connect } from "node:http2";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelInferRequestSchema, ModelStreamInferResponseSchema } from "@sconce/protocol/messages";
import { ManualClock } from "../../base/manual-clock.kit.ts";
import { until } from "../../base/until.kit.ts";
import { collect, withGrpc } from "./grpc-rig.kit.ts";
import { frameOf } from "./message-frame.ts";
import { callHeaders, FLAG, FRAME, frame, openRaw } from "./raw-http2.kit.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";

function requestFor(modelName: string, bytes = 0): Buffer {
  const inputs = [{ name: "x", datatype: "UINT8", shape: [BigInt(bytes)] }];
  const rawInputContents = [new Uint8Array(bytes)];
  return frameOf(
    toBinary(
      ModelInferRequestSchema,
      create(ModelInferRequestSchema, { modelName, inputs, rawInputContents }),
    ),
  );
}

test("a client that leaves as its deadline passes is one that was too late, earlier it is one that left", async () => {
  for (const [timeout, code] of [
    ["20m", "deadline_exceeded"],
    ["21m", "cancelled"],
    ["1H", "cancelled"],
  ] as const) {
    await withGrpc({ edge: { clock: new ManualClock() } }, async ({ port, outcomes, inference }) => {
      const session = connect(`http://127.0.0.1:${port}`);
      const stream = session.request({
        ":method": "POST",
        ":path": INFER,
        "content-type": "application/grpc",
        "grpc-timeout": timeout,
      });
      stream.on("error", () => {});
      stream.end(requestFor("held"));
      await until("it runs", () => inference.running === 1);
      stream.close(8);
      await until("it is over", () => outcomes.length === 1);
      assert.equal(outcomes[0]?.code, code, timeout);
      session.destroy();
    });
  }
});

test("a response that is too large fails its own request of a stream, and names the option that allows more", async () => {
  await withGrpc({ limits: { maxSendBytes: 10_000 } }, async ({ stream }) => {
    const path = "/inference.GRPCInferenceService/ModelStreamInfer";
    const call = stream(path, [ModelInferRequestSchema, ModelStreamInferResponseSchema]);
    for (const size of [20_000, 100]) call.write(requestFor("identity", size).subarray(5));
    call.end();
    const { messages, status } = await collect(call);
    const errors = messages.map(({ errorMessage }) => errorMessage).sort();
    assert.deepEqual([status.code, errors[0]], [0, ""]);
    assert.match(errors[1] ?? "", /larger than 10000 bytes.*--max-body/);
  });
});

test("a client that is asked to leave is told which of its calls were begun, so that it tries the others elsewhere", async () => {
  await withGrpc({}, async ({ edge, port, inference }) => {
    const raw = await openRaw(port);
    const call = (stream: number) =>
      Buffer.concat([
        frame({ type: FRAME.headers, flags: FLAG.endHeaders, stream, payload: callHeaders(INFER) }),
        frame({ type: FRAME.data, flags: FLAG.endStream, stream, payload: requestFor("held") }),
      ]);
    await raw.write(call(1));
    await until("it runs", () => inference.running === 1);
    const closed = edge.close();
    await until("it is asked to leave", () => raw.goaways().length > 0);
    await raw.write(call(3));
    await raw.reached();
    inference.release();
    await closed;
    await until("the connection is closed", () => raw.isClosed);
    const last = raw.frames.filter(({ type }) => type === FRAME.goaway).at(-1);
    assert.equal(Buffer.from(last!.payload).readUInt32BE(0), 1);
    const ended = raw.frames.filter(({ flags, stream }) => stream > 0 && (flags & FLAG.endStream) !== 0);
    assert.deepEqual(
      ended.map(({ type, stream }) => [type, stream]),
      [[FRAME.headers, 1]],
    );
  });
});
