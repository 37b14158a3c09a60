// Tests the log of the built server: requests that failed are found by their ids, and with --access-log all requests are.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { protoClient } from "./grpc-client.ts";
import { startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

interface Line {
  readonly requestId?: string;
  readonly protocol?: string;
  readonly call?: string;
  readonly status?: number;
  readonly model?: string;
  readonly reason?: string;
  readonly msg: string;
}

async function ask(url: string, path: string, id: string): Promise<void> {
  await (await fetch(`${url}${path}`, { method: "POST", body: "{", headers: { "x-request-id": id } })).text();
}

const TOKEN = "a-token-for-the-log-of-requests";

/** Sends half of a body, and leaves. */
async function leaveInTheMiddle(url: string, path: string, id: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${id}\r\nContent-Type: application/json\r\nAuthorization: Bearer ${TOKEN}`;
  socket.write(`${head}\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n`);
  // The server has the request: it asks for the rest.
  await once(socket, "data");
  socket.write('{"parameters":');
  await new Promise<void>((resolve) => socket.end(resolve));
  socket.destroy();
}

describe("the log of requests", () => {
  for (const isComplete of [false, true]) {
    test(
      isComplete ? "--access-log has every request" : "requests that failed are found by their ids",
      async (t) => {
        const server = await startServerProcess([
          ...[MODELS_FOLDER, "--model-control", "explicit", "--load-models", "digits"],
          ...["--admin-token", TOKEN],
          ...(isComplete ? ["--access-log"] : []),
        ]);
        t.after(() => server.stop());
        const lines = (): Line[] =>
          server
            .output()
            .split("\n")
            .filter((line) => line.startsWith("{"))
            .map((line) => JSON.parse(line) as Line);
        const found = (id: string): Line | undefined => lines().find(({ requestId }) => requestId === id);
        await ask(server.url, "/predict/digits", "bad-json");
        await ask(server.url, "/predict/nobody", "no-model");
        await ask(server.url, "/nowhere", "no-url");
        await fetch(`${server.url}/v2/models/digits`, { headers: { "x-request-id": "good" } });
        for (const [id, path] of [
          ["left-inference", "/predict/digits"],
          ["left-load", "/v2/repository/models/digits/load"],
        ] as const)
          await leaveInTheMiddle(server.url, path, id);
        const client = protoClient({
          proto: "inference/grpc_service.proto",
          service: "inference.GRPCInferenceService",
          target: server.authority,
        });
        t.after(() => client.close());
        const headers = { "x-request-id": "grpc-bad" };
        await assert.rejects(client.unary("ModelMetadata", { name: "nobody" }, headers));
        await client.unary("ServerLive", {}, { "x-request-id": "grpc-good" });
        await until(
          "the last call is in the log, or its time is over",
          () => found("grpc-bad") !== undefined,
        );
        const { call, status, model, reason } = found("bad-json")!;
        assert.deepEqual([call, status, model, reason], ["POST /predict/digits", 400, "digits", "bad_json"]);
        assert.equal(found("no-model")?.status, 404);
        assert.equal(found("no-url")?.status, 404);
        assert.deepEqual(
          [found("grpc-bad")!.protocol, found("grpc-bad")!.call, found("grpc-bad")!.status],
          ["grpc", "/inference.GRPCInferenceService/ModelMetadata", 5],
        );
        for (const id of ["left-inference", "left-load"]) {
          await until(`the log has ${id}`, () => found(id) !== undefined);
          assert.equal(found(id)!.status, 499);
        }
        if (isComplete) await until("calls that went well are there", () => found("grpc-good") !== undefined);
        assert.equal(found("good")?.status, isComplete ? 200 : undefined);
        assert.equal(found("grpc-good")?.status, isComplete ? 0 : undefined);
      },
    );
  }
});
