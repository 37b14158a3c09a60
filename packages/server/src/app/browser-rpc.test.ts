// Tests gRPC-Web and Connect (edge/rest/rpc) with Connect's own browser client, and with bytes of our own, against a running server.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import {
  GRPCInferenceService,
  Health,
  ModelInferRequestSchema,
  ModelStreamInferResponseSchema,
  sconceV1,
} from "@sconce/protocol/messages";
import fc from "fast-check";
import { loadConfig } from "../config/load-config.ts";
import { unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-rpc-"));
const DIMS = ["batch", 2];
writeFileSync(
  join(folder, "negate.onnx"),
  unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS }),
);
const ORIGIN = "https://page.example";
const INFER = "/inference.GRPCInferenceService/ModelInfer";
const STREAM = "/inference.GRPCInferenceService/ModelStreamInfer";

let server: RunningServer;
before(async () => {
  const flags = new Map([
    ["--port", "0"],
    ["--cors-origins", ORIGIN],
    ["--max-body", "16MiB"],
  ]);
  server = await startServer({ paths: [folder], config: loadConfig({ flags }) });
  await server.settled;
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** Rows of two numbers. */
function request(values: readonly number[], more: object = {}) {
  return create(ModelInferRequestSchema, {
    modelName: "negate",
    id: "seven",
    inputs: [{ name: "x", datatype: "FP32", shape: [BigInt(values.length / 2), 2n] }],
    rawInputContents: [new Uint8Array(Float32Array.from(values).buffer)],
    ...more,
  });
}

function floats(bytes: Uint8Array | undefined): number[] {
  return [...new Float32Array(Uint8Array.from(bytes ?? []).buffer)];
}

function notAnswered(): never {
  assert.fail("it was answered");
}

const TRANSPORTS: Readonly<Record<string, (baseUrl: string) => Transport>> = {
  "Connect, JSON": (baseUrl) => createConnectTransport({ baseUrl, useBinaryFormat: false }),
  "Connect, binary": (baseUrl) => createConnectTransport({ baseUrl, useBinaryFormat: true }),
  "gRPC-Web": (baseUrl) => createGrpcWebTransport({ baseUrl }),
};

for (const [name, transportTo] of Object.entries(TRANSPORTS)) {
  describe(name, () => {
    const oip = () => createClient(GRPCInferenceService, transportTo(server.url));

    test("infers, and says where the time went", async () => {
      let timing: string | null = null;
      const answer = await oip().modelInfer(request([1, -2]), {
        onTrailer: (trailers) => {
          timing = trailers.get("server-timing");
        },
      });
      assert.deepEqual([answer.id, floats(answer.rawOutputContents[0])], ["seven", [-1, 2]]);
      assert.match(String(timing), /^receive;dur=.*total;dur=/);
      const predict = createClient(sconceV1.ModelServing, transportTo(server.url));
      const input = { name: "x", datatype: "FP32", shape: [1n, 2n], contents: { floats: [3, 4] } };
      assert.deepEqual(
        floats((await predict.predict({ model: "negate", inputs: [input] })).outputs[0]?.raw),
        [-3, -4],
      );
      const { inputs } = await oip().modelMetadata({ name: "negate" });
      assert.deepEqual(inputs[0]?.shape, [-1n, 2n]);
    });

    test("failures have their code, their words and their reason", async () => {
      for (const [wrong, code, words] of [
        [request([1, 2], { modelName: "nobody" }), Code.NotFound, /does not exist/],
        [request([1, 2], { rawInputContents: [] }), Code.InvalidArgument, /needs 8 bytes|expected|got/],
      ] as const) {
        const error = await oip().modelInfer(wrong).then(notAnswered, ConnectError.from);
        assert.equal(error.code, code, error.message);
        assert.match(error.rawMessage, words);
        assert.match(
          error.metadata.get("sconce-reason") ?? error.metadata.get("trailer-sconce-reason") ?? "",
          /./,
        );
      }
      const load = await oip()
        .repositoryModelLoad({ modelName: "negate" })
        .then(notAnswered, ConnectError.from);
      assert.ok([Code.PermissionDenied, Code.FailedPrecondition, Code.Unimplemented].includes(load.code));
    });

    test("a stream of answers goes on until its client leaves", async () => {
      const leaving = new AbortController();
      const health = createClient(Health, transportTo(server.url));
      const states: number[] = [];
      await assert.rejects(async () => {
        for await (const { status } of health.watch({ service: "negate" }, { signal: leaving.signal })) {
          states.push(status);
          leaving.abort();
        }
      });
      assert.deepEqual(states, [1]);
    });
  });
}

test("large messages go both ways in binary; JSON is for those of up to 1 MiB", async () => {
  const values = Array.from({ length: 600_000 }, (_, i) => i % 1000);
  for (const name of ["Connect, binary", "gRPC-Web"]) {
    const client = createClient(GRPCInferenceService, TRANSPORTS[name]!(server.url));
    const answer = await client.modelInfer(request(values));
    assert.deepEqual(floats(answer.rawOutputContents[0]).slice(-2), [-998, -999], name);
  }
  const json = createClient(GRPCInferenceService, TRANSPORTS["Connect, JSON"]!(server.url));
  const error = await json.modelInfer(request(values)).then(notAnswered, ConnectError.from);
  assert.equal(error.code, Code.ResourceExhausted);
  assert.match(error.rawMessage, /binary/);
});

/** Sends bytes, and gives what came back. */
async function post(
  path: string,
  type: string,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
) {
  const answer = await fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": type, ...headers },
    body: typeof body === "string" ? body : Uint8Array.from(body),
  });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}

function envelope(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The envelopes of a body. */
function envelopes(bytes: Buffer): Array<{ readonly flags: number; readonly message: Buffer }> {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    found.push({ flags: bytes[at]!, message: bytes.subarray(at + 5, end) });
    at = end;
  }
  return found;
}

const encode = (id: string, values: readonly number[]): Uint8Array =>
  toBinary(ModelInferRequestSchema, request(values, { id }));

test("many requests over one stream: all messages first, then all answers, in every form", async () => {
  const messages = [encode("a", [1, 2]), encode("b", [3, 4])].map((message) => envelope(message));
  const json = ["a", "b"].map((id, i) =>
    envelope(
      Buffer.from(
        JSON.stringify({
          modelName: "negate",
          id,
          inputs: [
            {
              name: "x",
              datatype: "FP32",
              shape: [1, 2],
              contents: { fp32Contents: [1 + 2 * i, 2 + 2 * i] },
            },
          ],
        }),
      ),
    ),
  );
  for (const [type, body, endFlags] of [
    ["application/grpc-web+proto", Buffer.concat(messages), 0x80],
    ["application/grpc-web-text", Buffer.from(messages.map((m) => m.toString("base64")).join("")), 0x80],
    ["application/connect+proto", Buffer.concat(messages), 2],
    ["application/connect+json", Buffer.concat(json), 2],
  ] as const) {
    const { status, headers, bytes } = await post(STREAM, type, body);
    assert.equal(status, 200, type);
    assert.match(
      headers.get("content-type") ?? "",
      new RegExp(type.split("+")[0]!.replace("-text", "-text")),
    );
    const isText = type.includes("text");
    const raw = isText
      ? Buffer.concat(
          (bytes.toString("latin1").match(/[^=]+={0,2}/g) ?? []).map((part) => Buffer.from(part, "base64")),
        )
      : bytes;
    const parts = envelopes(raw);
    const answers = parts.slice(0, -1).map(({ flags, message }) => {
      assert.equal(flags, 0);
      if (type.endsWith("json")) {
        const { inferResponse } = JSON.parse(message.toString());
        return [inferResponse.id, floats(Buffer.from(inferResponse.rawOutputContents[0], "base64"))];
      }
      const { inferResponse } = fromBinary(ModelStreamInferResponseSchema, message);
      return [inferResponse?.id, floats(inferResponse?.rawOutputContents[0])];
    });
    assert.deepEqual(answers.sort(), [
      ["a", [-1, -2]],
      ["b", [-3, -4]],
    ]);
    const end = parts.at(-1)!;
    assert.equal(end.flags, endFlags);
    assert.match(end.message.toString(), endFlags === 2 ? /^{"metadata":{/ : /^grpc-status: 0\r\n/);
  }
});

test("gRPC-Web's text is read without its padding, and with lines that are broken", async () => {
  // One byte more than a multiple of three, and two.
  for (const id of ["a", "ab", "abc"]) {
    const text = envelope(encode(id, [1, 2])).toString("base64");
    for (const body of [text, text.replace(/=+$/, ""), `${text.replace(/.{1,7}/g, "$&\r\n")}\n`]) {
      const answer = await post(INFER, "application/grpc-web-text", Buffer.from(body));
      const parts = answer.bytes.toString("latin1").match(/[^=]+={0,2}/g) ?? [];
      const bytes = Buffer.concat(parts.map((part) => Buffer.from(part, "base64")));
      assert.match(bytes.toString("latin1"), /grpc-status: 0/, body);
    }
  }
});

test("a page of an allowed origin may ask and read; any other may not", async () => {
  const preflight = await fetch(server.url + INFER, {
    method: "OPTIONS",
    headers: {
      origin: ORIGIN,
      "access-control-request-method": "POST",
      "access-control-request-headers": "connect-protocol-version,content-type,x-grpc-web",
    },
  });
  assert.equal(preflight.headers.get("access-control-allow-origin"), ORIGIN);
  assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /x-grpc-web/);
  for (const type of ["application/grpc-web+proto", "application/connect+proto"]) {
    const { headers } = await post(STREAM, type, envelope(encode("a", [1, 2])), { origin: ORIGIN });
    assert.equal(headers.get("access-control-allow-origin"), ORIGIN, type);
  }
  for (const type of ["application/grpc-web+proto", "application/proto", "application/json"])
    assert.equal((await post(INFER, type, "", { origin: "https://other.example" })).status, 403, type);
});

test("what is wrong is said in the protocol's own way", async () => {
  const json = "application/json";
  for (const [path, type, body, headers, status, words] of [
    [INFER, json, "{", {}, 400, /"code":"invalid_argument".*JSON/],
    [INFER, json, '{"modelName":7}', {}, 400, /invalid_argument/],
    [INFER, json, '{"modelName":"nobody"}', {}, 404, /"code":"not_found"/],
    [INFER, json, "{}", { "connect-protocol-version": "2" }, 400, /speaks version 1/],
    [INFER, json, "{}", { "connect-timeout-ms": "soon" }, 400, /one to ten digits/],
    [INFER, json, "{}", { "connect-timeout-ms": "12345678901" }, 400, /one to ten digits/],
    [INFER, json, "{}", { "content-encoding": "br" }, 501, /"code":"unimplemented".*gzip or deflate/],
    [INFER, "application/grpc-web", "", { "content-encoding": "gzip" }, 415, /one by one/],
    [INFER, "application/grpc-web+json", "", {}, 415, /expected application\/json/],
    [INFER, "application/connect+json", "{}", {}, 415, /send application\/proto/],
    [STREAM, json, "{}", {}, 415, /send application\/connect/],
    [INFER, "application/grpc", "", {}, 415, /needs HTTP\/2/],
    [INFER, "text/plain", "", {}, 415, /expected application\/json/],
    ["/sconce.v1.ModelServing/Nope", json, "{}", {}, 501, /"code":"unimplemented"/],
  ] as const) {
    const answer = await post(path, type, body, headers);
    const what = `${path} ${type} ${body} ${answer.bytes}`;
    assert.equal(answer.status, status, what);
    assert.match(answer.bytes.toString(), words, what);
  }
  assert.equal(
    (await post(INFER, "application/proto", encode("a", [1, 2]), { "connect-timeout-ms": "0" })).status,
    504,
  );
  const late = { "grpc-timeout": "0m" };
  const ended = await post(INFER, "application/grpc-web", envelope(encode("a", [1, 2])), late);
  assert.match(ended.bytes.toString("latin1"), /grpc-status: 4/);
  for (const [type, body, words] of [
    ["application/grpc-web", Buffer.from([0, 0, 0, 0, 9, 1]), /grpc-status: 3\r\ngrpc-message: the/],
    ["application/grpc-web", Buffer.from([1, 0, 0, 0, 0]), /grpc-status: 3/],
    ["application/grpc-web-text", Buffer.from("*"), /ncnBjLXN0YXR1czogMw/],
    ["application/grpc-web-text", Buffer.from("A"), /ncnBjLXN0YXR1czogMw/],
    ["application/connect+proto", Buffer.from([0, 0, 0, 0, 9, 1]), /"code":"invalid_argument"/],
    ["application/connect+proto", Buffer.from([0, 255, 255, 255, 255]), /"code":"resource_exhausted"/],
    ["application/connect+json", envelope(Buffer.from("[]")), /"code":"invalid_argument"/],
    ["application/connect+json", envelope(Buffer.from("{}"), 1), /"code":"unimplemented"/],
    ["application/connect+json", Buffer.from([0, 255, 255, 255, 255]), /"code":"resource_exhausted"/],
  ] as const) {
    const answer = await post(STREAM, type, body);
    assert.equal(answer.status, 200, type);
    assert.match(answer.bytes.toString("latin1"), words, `${type} ${body.toString("hex")}`);
  }
});

test("whatever bytes come, the call ends honestly and the server answers the next one", async () => {
  const type = fc.constantFrom(
    "application/grpc-web",
    "application/grpc-web-text",
    "application/connect+proto",
    "application/connect+json",
    "application/proto",
    "application/json",
  );
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.uint8Array({ maxLength: 64 }).map((bytes) => new Uint8Array(envelope(bytes))),
    fc.string().map((text) => new Uint8Array(envelope(Buffer.from(text)))),
    fc.json().map((text) => new Uint8Array(Buffer.from(text))),
  );
  const paths = fc.constantFrom(
    INFER,
    STREAM,
    "/grpc.health.v1.Health/Check",
    "/sconce.v1.ModelServing/StreamPredict",
  );
  await fc.assert(
    fc.asyncProperty(paths, type, body, async (path, contentType, bytes) => {
      const { status } = await post(path, contentType, bytes);
      assert.ok(status < 500 || status === 501, String(status));
    }),
    { numRuns: 150 },
  );
  const client = createClient(GRPCInferenceService, TRANSPORTS["gRPC-Web"]!(server.url));
  assert.deepEqual(floats((await client.modelInfer(request([1, 2]))).rawOutputContents[0]), [-1, -2]);
});

test("clients that leave in the middle, at any time, end nothing but their own call", async () => {
  const bytes = envelope(
    encode(
      "a",
      Array.from({ length: 200_000 }, (_, i) => i % 100),
    ),
  );
  const types = ["application/grpc-web", "application/connect+proto", "application/proto"];
  await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const type = types[i % types.length]!;
      const leaving = new AbortController();
      const path = type === "application/proto" ? INFER : STREAM;
      const body = Uint8Array.from(type === "application/proto" ? bytes.subarray(5) : bytes);
      const asked = fetch(server.url + path, {
        method: "POST",
        headers: { "content-type": type },
        body,
        signal: leaving.signal,
      });
      // Some before the request is sent, some while it is answered, some while the answer comes.
      const left = asked.then(async (answer) => {
        if (i % 4 === 0) leaving.abort();
        await answer.arrayBuffer();
      });
      for (let turn = 0; turn < i; turn++) await new Promise((resolve) => setImmediate(resolve));
      leaving.abort();
      await left.catch(() => {});
    }),
  );
  const client = createClient(GRPCInferenceService, TRANSPORTS["Connect, binary"]!(server.url));
  assert.deepEqual(floats((await client.modelInfer(request([1, 2]))).rawOutputContents[0]), [-1, -2]);
});
