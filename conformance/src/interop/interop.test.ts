// Tests the built server with the cases of gRPC's interoperability tests, as their public description has them, on our own services.
import assert from "node:assert/strict";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { compressionAlgorithms, Metadata, status as Status } from "@grpc/grpc-js";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import {
  type Answer,
  type InteropClient,
  interopClient,
  type Outcome,
  requestFrame,
} from "./interop-client.kit.ts";

/** The interoperability tests' own: what a message may hold that a header may not. */
const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const ROW_BYTES = 256;

function digits(rows: number, more: object = {}): object {
  const inputs = [{ name: "image", datatype: "FP32", shape: [rows, 1, 8, 8] }];
  return { modelName: "digits", inputs, rawInputContents: [Buffer.alloc(rows * ROW_BYTES)], ...more };
}

function input(rows: number, id: string): object {
  const raw = Buffer.alloc(rows * ROW_BYTES);
  return { model: "digits", id, inputs: [{ name: "image", datatype: "FP32", shape: [rows, 1, 8, 8], raw }] };
}

function assertOk({ status }: Outcome): void {
  assert.deepEqual([status.code, status.details], [Status.OK, ""]);
}

interface RawAnswer {
  /** And trailers. */
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

function bytesOf(answer: Answer): number {
  return (answer["rawOutputContents"] as readonly Buffer[])[0]!.length;
}

describe("gRPC's interoperability cases", () => {
  let server: ServerProcess;
  let client: InteropClient;
  before(async () => {
    server = await startServerProcess([MODELS_FOLDER, "--log-level", "error"]);
    client = interopClient(server.authority);
  });
  after(async () => {
    client?.close();
    await server?.stop();
  });

  test("empty_unary: an empty message is one", async () => {
    const outcome = await client.call("ServerLive", [{}]);
    assertOk(outcome);
    assert.deepEqual(outcome.answers, [{ live: true }]);
  });

  test("large_unary: messages about as long as one frame of HTTP/2, and much longer", async () => {
    for (const rows of [1, 62, 63, 64, 1024]) {
      const outcome = await client.call("ModelInfer", [digits(rows)]);
      assertOk(outcome);
      assert.equal(bytesOf(outcome.answers[0]!), rows * 40);
    }
  });

  test("client_streaming: four messages of very different sizes, answered after the half-close as well", async () => {
    const outcome = await client.call(
      "ModelStreamInfer",
      [106, 1, 8, 180].map((rows) => digits(rows)),
    );
    assertOk(outcome);
    const sizes = outcome.answers.map(({ inferResponse }) => bytesOf(inferResponse as Answer) / 40);
    assert.deepEqual(
      sizes.sort((a, b) => a - b),
      [1, 8, 106, 180],
    );
  });

  test("server_streaming: one message, and answers for as long as the client listens", async () => {
    const call = client.open("Watch");
    call.send({ service: "digits" });
    call.halfClose();
    assert.deepEqual(await call.next(), { status: "SERVING" });
    call.cancel();
    assert.equal((await call.outcome).status.code, Status.CANCELLED);
  });

  test("ping_pong: each message waits for the answer to the one before", async () => {
    const call = client.open("StreamPredict");
    for (const rows of [123, 1, 10, 230]) {
      call.send(input(rows, `${rows}`));
      const { id, error } = (await call.next()) as { readonly id: string; readonly error: unknown };
      assert.deepEqual([id, error], [`${rows}`, null]);
    }
    call.halfClose();
    const outcome = await call.outcome;
    assertOk(outcome);
    assert.equal(outcome.answers.length, 4);
  });

  test("empty_stream: a stream without a message ends with OK", async () => {
    for (const method of ["StreamPredict", "ModelStreamInfer"]) {
      const outcome = await client.call(method, []);
      assertOk(outcome);
      assert.deepEqual(outcome.answers, []);
    }
  });

  test("cancel_after_begin: a call that is cancelled before it says anything is CANCELLED", async () => {
    for (const method of ["StreamPredict", "ModelInfer"]) {
      const call = client.open(method);
      setImmediate(call.cancel);
      assert.equal((await call.outcome).status.code, Status.CANCELLED);
    }
  });

  test("cancel_after_first_response: what was answered stays, the rest is CANCELLED", async () => {
    const call = client.open("StreamPredict");
    call.send(input(106, "first"));
    assert.equal((await call.next())["id"], "first");
    call.cancel();
    const { status, answers } = await call.outcome;
    assert.deepEqual([status.code, answers.length], [Status.CANCELLED, 1]);
  });

  test("timeout_on_sleeping_server: a call that nobody ends is DEADLINE_EXCEEDED, by the server's own word", async () => {
    const call = client.open("StreamPredict", { options: { deadline: Date.now() + 50 } });
    assert.equal((await call.outcome).status.code, Status.DEADLINE_EXCEEDED);
    const { "grpc-status": status } = await rawCall({ "grpc-timeout": "20m" });
    assert.equal(status, "4");
  });

  test("status_code_and_message: the same for one message and for a stream", async () => {
    const unary = await client.call("ModelInfer", [digits(1, { modelName: "nope" })]);
    const metadata = new Metadata();
    metadata.set("triton_grpc_error", "true");
    const streamed = await client.call("ModelStreamInfer", [digits(1, { modelName: "nope" })], { metadata });
    for (const { status } of [unary, streamed]) {
      assert.equal(status.code, Status.NOT_FOUND);
      assert.match(status.details, /"nope"/);
      assert.deepEqual(status.metadata.get("sconce-reason"), ["model_not_found"]);
    }
  });

  test("special_status_message: whitespace and Unicode come back as they were", async () => {
    const { status } = await client.call("Check", [{ service: SPECIAL }]);
    assert.equal(status.code, Status.NOT_FOUND);
    assert.equal(status.details, `there is no service or model "${SPECIAL}"`);
  });

  test("unimplemented_method and unimplemented_service", async () => {
    for (const path of [
      "/inference.GRPCInferenceService/Nope",
      "/grpc.testing.UnimplementedService/Call",
      "/x",
    ]) {
      for (const messages of [[{}], []]) {
        const { status } = await client.call("ServerLive", messages, { path });
        assert.equal(status.code, Status.UNIMPLEMENTED, path);
        assert.match(status.details, /there is no method/);
      }
    }
  });

  test("custom_metadata: text and bytes, once and several times, do not disturb a call", async () => {
    const metadata = new Metadata();
    metadata.set("x-grpc-test-echo-initial", "test_initial_metadata_value");
    for (const value of [Buffer.from([0xab, 0xab, 0xab]), Buffer.alloc(0), Buffer.alloc(300, 255)]) {
      metadata.add("x-grpc-test-echo-trailing-bin", value);
      metadata.add("x-text", "a, b");
    }
    assertOk(await client.call("ModelInfer", [digits(1)], { metadata }));
    assertOk(await client.call("ModelStreamInfer", [digits(1)], { metadata }));
  });

  test("client_compressed: gzip and deflate, one message and many", async () => {
    for (const coding of [compressionAlgorithms.gzip, compressionAlgorithms.deflate]) {
      const compressed = interopClient(server.authority, { "grpc.default_compression_algorithm": coding });
      assertOk(await compressed.call("ServerLive", [{}]));
      const unary = await compressed.call("ModelInfer", [digits(1000)]);
      assertOk(unary);
      assert.equal(bytesOf(unary.answers[0]!), 1000 * 40);
      const streamed = await compressed.call(
        "ModelStreamInfer",
        [1, 300, 7].map((rows) => digits(rows)),
      );
      assertOk(streamed);
      assert.equal(streamed.answers.length, 3);
      compressed.close();
    }
  });

  test("server_compressed: the answer says how it is coded, and what the server takes", async () => {
    const answered = await rawCall({ "grpc-accept-encoding": "gzip" }, Buffer.alloc(5));
    assert.equal(answered["grpc-status"], "0");
    assert.deepEqual(
      [answered["grpc-accept-encoding"], answered["grpc-encoding"]],
      ["identity,gzip,deflate", undefined],
    );
    const unknown = await rawCall({ "grpc-encoding": "snappy" });
    assert.deepEqual(
      [unknown["grpc-status"], unknown["grpc-accept-encoding"]],
      ["12", "identity,gzip,deflate"],
    );
  });

  test("server_compressed_unary: a large answer is compressed as its request was, for a client that takes that", async () => {
    const gzip = { "grpc.default_compression_algorithm": compressionAlgorithms.gzip };
    const compressed = interopClient(server.authority, gzip);
    const infer = (rows: number, headers: Readonly<Record<string, string>>): Promise<RawAnswer> =>
      rawExchange(
        { ":path": "/inference.GRPCInferenceService/ModelInfer", ...headers },
        requestFrame("ModelInfer", digits(rows)),
      );
    const plain = await infer(1000, { "grpc-accept-encoding": "gzip" });
    const asked = await infer(1000, { "grpc-accept-encoding": "identity, gzip", "grpc-encoding": "gzip" });
    const refused = await infer(1000, { "grpc-accept-encoding": "deflate", "grpc-encoding": "gzip" });
    const small = await infer(1, { "grpc-accept-encoding": "gzip", "grpc-encoding": "gzip" });
    assert.deepEqual(
      [plain, asked, refused, small].map(({ headers, bytes }) => [headers["grpc-encoding"], bytes[0]]),
      [
        [undefined, 0],
        ["gzip", 1],
        [undefined, 0],
        [undefined, 0],
      ],
    );
    assert.deepEqual(gunzipSync(asked.bytes.subarray(5)), plain.bytes.subarray(5));
    assert.equal(asked.bytes.readUInt32BE(1), asked.bytes.length - 5);
    const outcome = await compressed.call("ModelInfer", [digits(1000)]);
    assertOk(outcome);
    assert.equal(bytesOf(outcome.answers[0]!), 1000 * 40);
    compressed.close();
  });

  test("status details: google.rpc.Status names the reason, and when to come back", async () => {
    const { status } = await client.call("ModelInfer", [digits(1, { modelName: "nope" })]);
    const [details] = status.metadata.get("grpc-status-details-bin") as [Buffer];
    assert.match(details.toString("latin1"), /google\.rpc\.ErrorInfo.*model_not_found.*sconce/s);
  });

  test("x-request-id: comes back, whether the call went well or not, when it is short and plain", async () => {
    for (const path of [undefined, "/x"]) {
      const echoed = async (id: string) =>
        (
          await rawCall({ "x-request-id": id, ...(path !== undefined && { ":path": path }) }, Buffer.alloc(5))
        )["x-request-id"];
      assert.deepEqual(
        [await echoed("my-7"), await echoed("a b"), await echoed("x".repeat(129))],
        ["my-7", undefined, undefined],
      );
    }
  });

  /** The same, of which only the headers count. */
  async function rawCall(
    headers: Readonly<Record<string, string>>,
    bytes?: Buffer,
  ): Promise<IncomingHttpHeaders> {
    return (await rawExchange(headers, bytes)).headers;
  }

  /** One stream of HTTP/2 that sends these headers, these bytes, and its end if there are any bytes. */
  function rawExchange(headers: Readonly<Record<string, string>>, bytes?: Buffer): Promise<RawAnswer> {
    const session = connect(server.url);
    const proper = {
      ":method": "POST",
      ":path": "/inference.GRPCInferenceService/ServerLive",
      "content-type": "application/grpc",
      te: "trailers",
    };
    const stream = session.request({ ...proper, ...headers }, { endStream: false });
    if (bytes !== undefined) stream.end(bytes);
    const seen: IncomingHttpHeaders = {};
    const received: Buffer[] = [];
    stream.on("response", (response) => Object.assign(seen, response));
    stream.on("trailers", (trailers) => Object.assign(seen, trailers));
    // The call is over whether this side has said so or not.
    stream.on("end", () => stream.close());
    stream.on("data", (chunk: Buffer) => received.push(chunk));
    return new Promise((resolve, reject) => {
      stream.on("error", reject);
      stream.on("close", () => {
        session.close();
        resolve({ headers: seen, bytes: Buffer.concat(received) });
      });
    });
  }

  test("what is no gRPC is answered by HTTP: 405, 415", async () => {
    const empty = Buffer.alloc(5);
    for (const [headers, status] of [
      [{ ":method": "GET" }, 405],
      [{ ":method": "PUT" }, 405],
      [{ "content-type": "text/plain" }, 415],
      // Not gRPC, and taken all the same: Connect and gRPC-Web.
      [{ "content-type": "application/json" }, 400],
      [{ "content-type": "application/grpc+json" }, 415],
      [{ "content-type": "application/grpc+proto" }, 200],
      [{ "content-type": "application/grpc;charset=utf-8" }, 200],
      [{ "content-type": "application/grpc+proto ; x=y" }, 200],
    ] as const) {
      const seen = await rawCall(headers, empty);
      assert.equal(seen[":status"], status, JSON.stringify(headers));
      assert.equal(seen["grpc-status"], status === 200 ? "0" : undefined);
    }
  });

  test("a message that is cut off, or compressed without saying how, is INVALID_ARGUMENT", async () => {
    const flagged = Buffer.from([1, 0, 0, 0, 0]);
    for (const [bytes, what] of [
      [Buffer.from([0, 0, 0]), "inside the prefix"],
      [Buffer.from([0, 0, 0, 0, 9, 1]), "inside the message"],
      [Buffer.concat([Buffer.alloc(5), Buffer.from([0, 0])]), "behind a message"],
      [flagged, "no grpc-encoding"],
    ] as const) {
      assert.equal((await rawCall({}, bytes))["grpc-status"], "3", what);
    }
  });
});
