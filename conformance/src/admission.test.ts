// Tests the built server: a full queue refuses requests before their bodies are read.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import type { ServiceError } from "@grpc/grpc-js";
import { type ChaosServer, startChaosServer } from "./chaos/chaos-server.ts";
import { readJournal } from "./chaos/journal.ts";
import { createModelFolder, type ModelFolder } from "./chaos/model-folder.ts";
import { ROW_BYTES } from "./chaos/row.ts";
import { type Message, type ProtoClient, protoClient } from "./grpc-client.ts";
import { until } from "./until.kit.ts";

/** Longer than the tests take, so that the queue stays as full as they find it. */
const RUN_MS = 600_000;
const INFER = "/v2/models/slow/infer";
const ROW = JSON.stringify({
  inputs: [{ name: "x", datatype: "UINT8", shape: [1, ROW_BYTES], data: new Array(ROW_BYTES).fill(1) }],
});
/** Tensors that nobody could decode: who complains about them has looked at them. */
const NONSENSE = { name: "x", datatype: "NONSENSE", shape: [-1] };

/** A connection that says what it was told so far. */
class Wire {
  readonly #socket: Socket;
  #text = "";

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#socket = connect({ host: hostname, port: Number(port) });
    this.#socket.on("data", (bytes: Buffer) => {
      this.#text += bytes.toString("latin1");
    });
    this.#socket.on("error", () => {});
  }

  post(path: string, body: string, headers = "", length = body.length): void {
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${length}\r\n\r\n`;
    this.#socket.write(head + body);
  }

  has(pattern: RegExp): boolean {
    return pattern.test(this.#text);
  }

  /** What has come since the last call, once `pattern` is in it. */
  async next(pattern: RegExp): Promise<string> {
    await until(`${pattern} comes`, () => this.has(pattern));
    const { index, 0: match } = pattern.exec(this.#text)!;
    const text = this.#text.slice(0, index + match.length);
    this.#text = this.#text.slice(text.length);
    return text;
  }

  close(): void {
    this.#socket.destroy();
  }
}

const ERROR_BODY = /\{"error":[^}]*\}/;

describe("a full queue refuses requests before they are read", () => {
  let folder: ModelFolder;
  let server: ChaosServer;
  let client: ProtoClient;
  const wires: Wire[] = [];
  const open = (): Wire => {
    const wire = new Wire(server.url);
    wires.push(wire);
    return wire;
  };
  const statistics = async (): Promise<{ fail: number; metrics: string }> => {
    const stats = (await (await fetch(`${server.url}/v2/models/slow/stats`)).json()) as {
      readonly model_stats: readonly [
        { readonly inference_stats: { readonly fail: { readonly count: number } } },
      ];
    };
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return { fail: stats.model_stats[0].inference_stats.fail.count, metrics };
  };

  before(async () => {
    folder = createModelFolder();
    folder.publish("slow", 1, {
      model: { sleepMs: RUN_MS },
      options: { instances: 1, max_batch_size: 1, max_queue_size: 1, warmup_runs: 0 },
    });
    server = await startChaosServer(folder.path, ["--drain-timeout=100ms"]);
    client = protoClient({
      proto: "inference/grpc_service.proto",
      service: "inference.GRPCInferenceService",
      target: new URL(server.url).host,
    });
    open().post(INFER, ROW);
    await until("it runs", () => readJournal(folder.journalOf("slow")).runs.length === 1);
    const two = [open(), open()];
    for (const wire of two) wire.post(INFER, ROW);
    await until("one waits and one is refused", () => two.some((wire) => wire.has(ERROR_BODY)));
  });

  after(async () => {
    client?.close();
    for (const wire of wires) wire.close();
    await server?.stop();
    folder?.remove();
  });

  test("REST: no leave to send a body that would be refused", async () => {
    const wire = open();
    wire.post(INFER, "", "Expect: 100-continue\r\n", 500);
    const answer = await wire.next(ERROR_BODY);
    assert.match(answer, /^HTTP\/1\.1 503 /);
    assert.match(answer, /"reason":"queue_full"/);
    assert.match(answer, /\r\nRetry-After: \d+\r\n/);
  });

  test("REST: the answer to a large body comes before the body does", async () => {
    const wire = open();
    wire.post(INFER, "", "", 10_000_000);
    assert.match(await wire.next(ERROR_BODY), /^HTTP\/1\.1 503 [\s\S]*Connection: close[\s\S]*queue_full/);
  });

  test("REST: a small body is not parsed, and its connection goes on", async () => {
    const wire = open();
    for (const path of [INFER, "/predict/slow", INFER]) {
      wire.post(path, "{{{{{");
      assert.match(await wire.next(ERROR_BODY), /^HTTP\/1\.1 503 [\s\S]*queue_full/);
    }
  });

  const refused = async (call: Promise<unknown>): Promise<void> => {
    await assert.rejects(call, (error: ServiceError) => {
      assert.deepEqual([error.code, error.metadata.get("sconce-reason")], [14, ["queue_full"]]);
      assert.ok(Number(error.metadata.get("grpc-retry-pushback-ms")[0]) > 0);
      return true;
    });
  };

  test("gRPC: tensors are not decoded", async () => {
    await refused(client.unary("ModelInfer", { modelName: "slow", inputs: [NONSENSE] }));
    const [answer] = await client.stream("ModelStreamInfer", [
      { modelName: "slow", id: "7", inputs: [NONSENSE] },
    ]);
    assert.match(String(answer!["errorMessage"]), /queue is full/);
    assert.equal((answer!["inferResponse"] as Message)["id"], "7");
  });

  test("gRPC: the answer to a large message comes before the message does", async () => {
    const session = connectHttp2(server.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/inference.GRPCInferenceService/ModelInfer",
      "content-type": "application/grpc",
      te: "trailers",
    });
    // A frame of 10 MB that begins with the model's name (field 1) and a tensor (field 5).
    const frame = Buffer.from([0, 0, 0x98, 0x96, 0x80, 0x0a, 4, ...Buffer.from("slow"), 0x2a]);
    stream.write(frame);
    const [answer] = (await once(stream, "response")) as [Record<string, string>];
    assert.deepEqual([answer["grpc-status"], answer["sconce-reason"]], ["14", "queue_full"]);
    stream.close();
    session.close();
  });

  test("each refusal is counted once, wherever it is counted", async () => {
    const before = await statistics();
    const wire = open();
    for (let i = 0; i < 3; i++) {
      wire.post(INFER, i === 0 ? ROW : "{");
      await wire.next(ERROR_BODY);
      await refused(client.unary("ModelInfer", { modelName: "slow", inputs: [NONSENSE] }));
    }
    const after = await statistics();
    const grown = (name: string, labels: string): number => {
      const value = (text: string): number =>
        Number(new RegExp(`^${name}\\{[^}]*${labels}[^}]*\\} (\\d+)`, "m").exec(text)?.[1] ?? 0);
      return value(after.metrics) - value(before.metrics);
    };
    assert.equal(after.fail - before.fail, 6);
    assert.equal(grown("sconce_rejections_total", 'reason="queue_full"'), 6);
    assert.equal(grown("sconce_inferences_total", 'protocol="rest",code="unavailable"'), 3);
    assert.equal(grown("sconce_inferences_total", 'protocol="grpc",code="unavailable"'), 3);
  });
});
