// Tests WebSockets through a REST edge with a real client: web-socket-door.ts, web-socket-connection.ts, message-transport.ts and what they keep to.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import type { InferRequest } from "../../../base/infer-request.ts";
import { ManualClock } from "../../../base/manual-clock.kit.ts";
import type { NamedTensor } from "../../../base/tensor.ts";
import { createByteBudget } from "../../../gate/byte-budget.ts";
import { createWebGate, NO_ADDRESS } from "../../../gate/web-gate.ts";
import { ADD_SUB, identity, type MemoryModel, memoryInference } from "../memory-inference.kit.ts";
import type { RestEdgeOptions } from "../rest-edge.ts";
import { BODY, type Listening, listen, raw, statusOf } from "../rest-sockets.kit.ts";

/** Answers when the test says so. */
function heldModel(): MemoryModel & { readonly open: (() => void)[]; readonly left: { count: number } } {
  const open: (() => void)[] = [];
  const left = { count: 0 };
  return {
    ...identity("FP32"),
    open,
    left,
    run: ([input], { signal }) =>
      new Promise((resolve, reject) => {
        open.push(() => resolve([{ ...input!, name: "out" }]));
        signal.addEventListener("abort", () => {
          left.count++;
          reject(signal.reason as Error);
        });
      }),
  };
}

async function setUp(options: Partial<RestEdgeOptions> = {}) {
  const held = heldModel();
  const ran: number[] = [];
  const wide = identity("FP32", [1, { symbol: "n", min: 1, max: 1e7 }]);
  const models = {
    echo: identity("FP32"),
    addsub: ADD_SUB,
    held,
    wide: {
      ...wide,
      run: (inputs: readonly NamedTensor[], request: InferRequest) => {
        ran.push(inputs[0]!.shape[1]!);
        return wide.run(inputs, request);
      },
    },
  };
  const server = await listen(memoryInference(models), options);
  return { server, held, ran };
}

interface Answer {
  readonly id?: string;
  readonly error?: string;
  readonly reason?: string;
  readonly status?: number;
  readonly message?: number;
  readonly outputs?: readonly { readonly name: string; readonly data?: readonly number[] }[];
}

/** A client whose messages can be waited for. */
class Client {
  readonly socket: WebSocket;
  readonly #messages: (Buffer | string)[] = [];
  #wake = (): void => {};
  closed: { readonly code: number; readonly why: string } | undefined;

  constructor({ port }: Pick<Listening, "port">, path: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
    this.socket.on("message", (data: Buffer, isBinary: boolean) => {
      this.#messages.push(isBinary ? data : String(data));
      this.#wake();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", (code: number, why: Buffer) => {
      this.closed = { code, why: String(why) };
      this.#wake();
    });
  }

  async open(): Promise<this> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, "open");
    return this;
  }

  async next(): Promise<Buffer | string> {
    await this.#until(() => this.#messages.length > 0);
    return this.#messages.shift()!;
  }

  async answer(): Promise<Answer> {
    return JSON.parse(String(await this.next())) as Answer;
  }

  async end(): Promise<{ readonly code: number; readonly why: string }> {
    await this.#until(() => this.closed !== undefined);
    return this.closed!;
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.closed !== undefined) throw new Error(`closed: ${JSON.stringify(this.closed)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** What a handshake is refused with. */
async function refusal(
  server: Listening,
  path: string,
  headers: Record<string, string> = {},
): Promise<[number, Answer]> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers });
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [
    unknown,
    NodeJS.ReadableStream & { statusCode: number },
  ];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return [response.statusCode, JSON.parse(text) as Answer];
}

const request = (id: string, data: readonly number[]): string =>
  JSON.stringify({ id, inputs: [{ name: "in", shape: [1, 2], datatype: "FP32", data }] });

describe("messages", () => {
  test("a text is a v2 request, answered by a text", async () => {
    const { server } = await setUp();
    const client = await new Client(server, "/v2/models/echo/stream").open();
    client.socket.send(request("a", [1, 2.5]));
    const { id, outputs } = await client.answer();
    assert.deepEqual([id, outputs?.[0]?.data], ["a", [1, 2.5]]);
    assert.equal(server.budget.requests, 0);
  });

  test("bytes are JSON and tensors, in and out; with no JSON the only input's own bytes", async () => {
    const { server } = await setUp();
    const client = await new Client(server, "/v2/models/echo/versions/1/stream").open();
    const tensor = Buffer.from(new Float32Array([3, 4]).buffer);
    const json = JSON.stringify({
      inputs: [{ name: "in", shape: [1, 2], datatype: "FP32", parameters: { binary_data_size: 8 } }],
      parameters: { binary_data_output: true },
    });
    for (const head of [json, ""]) {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(head.length);
      client.socket.send(Buffer.concat([length, Buffer.from(head), tensor]));
      const answer = (await client.next()) as Buffer;
      const jsonBytes = answer.readUInt32LE(0);
      const told = JSON.parse(answer.toString("utf8", 4, 4 + jsonBytes)) as Answer;
      assert.equal(told.outputs?.[0]?.name, "out");
      assert.deepEqual(answer.subarray(4 + jsonBytes), tensor);
    }
  });

  test("what is wrong with one is said of it, by its id where it has one, and the next is answered", async () => {
    const { server } = await setUp();
    const client = await new Client(server, "/v2/models/echo/stream").open();
    client.socket.send("{");
    client.socket.send(request("b", [1, 2, 3]));
    client.socket.send(Buffer.from([1, 2]));
    client.socket.send(
      JSON.stringify({ id: "c", inputs: [{ name: "no", shape: [1], datatype: "FP32", data: [1] }] }),
    );
    const answers = [
      await client.answer(),
      await client.answer(),
      await client.answer(),
      await client.answer(),
    ];
    const byNumber = answers.sort((a, b) => a.message! - b.message!);
    assert.deepEqual(
      byNumber.map(({ message, status, id }) => [message, status, id]),
      [
        [0, 400, undefined],
        [1, 400, undefined],
        [2, 400, undefined],
        [3, 400, "c"],
      ],
    );
    client.socket.send(request("d", [5, 6]));
    assert.deepEqual((await client.answer()).outputs?.[0]?.data, [5, 6]);
  });

  test("a large one that is read in slices is run before the small one behind it", async () => {
    const { server, ran } = await setUp();
    const client = await new Client(server, "/v2/models/wide/stream").open();
    const wide = (count: number): string => {
      const data = new Array<number>(count).fill(0.123456);
      return JSON.stringify({ inputs: [{ name: "in", shape: [1, count], datatype: "FP32", data }] });
    };
    for (const count of [400_000, 1]) client.socket.send(wide(count));
    await client.next();
    await client.next();
    assert.deepEqual(ran, [400_000, 1]);
  });
});

describe("handshakes", () => {
  test("a model that does not exist, a page of another origin, a foreign name are refused as requests are", async () => {
    const { server } = await setUp({
      webGate: createWebGate({ ...NO_ADDRESS, isLoopback: true, corsOrigins: ["https://ours.example"] }),
    });
    assert.equal((await refusal(server, "/v2/models/none/stream"))[0], 404);
    assert.equal((await refusal(server, "/v2/models/echo/infer"))[0], 405);
    const [status, { reason }] = await refusal(server, "/v2/models/echo/stream", {
      origin: "https://evil.example",
    });
    assert.deepEqual([status, reason], [403, "foreign_origin"]);
    const [, rebound] = await refusal(server, "/v2/models/echo/stream", { host: "evil.example" });
    assert.equal(rebound.reason, "foreign_host");
    const ours = await new Client(server, "/v2/models/echo/stream", {
      origin: "https://ours.example",
    }).open();
    ours.socket.close();
    assert.equal((await ours.end()).code, 1005);
  });

  test("a plain GET is told to open a WebSocket", async () => {
    const { server } = await setUp();
    const answer = await raw(server.port, "GET /v2/models/echo/stream HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.equal(statusOf(answer), 426);
    assert.match(answer, /Upgrade: websocket/);
    assert.match(answer, /upgrade_required/);
  });

  test("a request that would rather speak HTTP/2 is answered in HTTP/1.1, on a connection that goes on", async () => {
    const { server } = await setUp();
    for (const fastLane of [true, false]) {
      const own = fastLane ? server : (await setUp({ fastLane })).server;
      const wish =
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n";
      const infer = (more: string): string =>
        `POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${BODY.length}\r\n\r\n${BODY}`;
      const socket = connect(own.port, "127.0.0.1");
      let text = "";
      socket.on("data", (chunk) => {
        text += String(chunk);
      });
      for (const [n, more] of [wish, "Connection: close\r\n"].entries()) {
        socket.write(infer(more));
        await until(() => text.match(/"outputs":\[.*\]\}/g)?.length === n + 1);
      }
      socket.destroy();
      assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2, text);
    }
  });

  test("n WebSockets are open, not n + 1; another one when one is closed", async () => {
    const { server } = await setUp({ webSocketLimits: { maxSockets: 2 } });
    const clients = await Promise.all([0, 1].map(() => new Client(server, "/v2/models/echo/stream").open()));
    const [status, { reason }] = await refusal(server, "/v2/models/echo/stream");
    assert.deepEqual([status, reason], [429, "too_many_web_sockets"]);
    clients[0]!.socket.close();
    await clients[0]!.end();
    await new Client(server, "/v2/models/echo/stream").open();
  });
});

describe("limits", () => {
  test("n requests of a connection are in flight, the next one is read when one is answered and taken", async () => {
    const { server, held } = await setUp({ webSocketLimits: { maxInFlight: 3 } });
    const client = await new Client(server, "/v2/models/held/stream").open();
    for (let i = 0; i < 8; i++) client.socket.send(request(String(i), [i, i]));
    await until(() => held.open.length === 3);
    for (let i = 0; i < 8; i++) {
      await until(() => held.open.length > i);
      assert.ok(held.open.length <= i + 3, `${held.open.length} are in flight`);
      held.open[i]!();
      assert.equal((await client.answer()).id, String(i));
    }
  });

  test("a message of n bytes is read, not of n + 1; nor one of more frames than allowed", async () => {
    const body = request("", [1, 2]);
    const { server } = await setUp({ webSocketLimits: { maxMessageBytes: body.length, maxFragments: 2 } });
    const client = await new Client(server, "/v2/models/echo/stream").open();
    client.socket.send(body);
    assert.equal((await client.answer()).outputs?.length, 1);
    client.socket.send(`${body} `);
    assert.equal((await client.end()).code, 1009);
    const other = await new Client(server, "/v2/models/echo/stream").open();
    for (const part of ["{", " ", " "]) other.socket.send(part, { fin: false });
    assert.equal((await other.end()).code, 1008);
  });

  test("text that is not UTF-8 ends the connection with 1007", async () => {
    const { server } = await setUp();
    const client = await new Client(server, "/v2/models/echo/stream").open();
    client.socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
    assert.equal((await client.end()).code, 1007);
  });

  test("a connection on which nothing is asked is closed, one that waits for its answer is not", async () => {
    const clock = new ManualClock();
    const { server, held } = await setUp({ clock, webSocketLimits: { idleMs: 50 } });
    const idle = await new Client(server, "/v2/models/echo/stream").open();
    const busy = await new Client(server, "/v2/models/held/stream").open();
    busy.socket.send(request("a", [1, 2]));
    await until(() => held.open.length === 1);
    clock.advance(50);
    assert.deepEqual(await idle.end(), { code: 1001, why: "idle" });
    held.open[0]!();
    assert.equal((await busy.answer()).id, "a");
    clock.advance(100);
    assert.equal((await busy.end()).why, "idle");
  });

  test("a client that goes takes its requests along, and what they held is given back", async () => {
    const { server, held } = await setUp();
    const client = await new Client(server, "/v2/models/held/stream").open();
    for (let i = 0; i < 100; i++) client.socket.send(request(String(i), [i, i]));
    await until(() => held.open.length === 64);
    assert.equal(server.budget.requests, 64);
    client.socket.terminate();
    await until(() => held.left.count === 64);
    await until(() => server.budget.requests === 0);
    assert.equal(server.budget.bytes, 0);
  });

  test("half a message is paid for, and given back when its client goes", async () => {
    const { server } = await setUp();
    const client = await new Client(server, "/v2/models/wide/stream").open();
    client.socket.send("x".repeat(1_000_000), { fin: false });
    await until(() => server.budget.bytes > 900_000);
    client.socket.terminate();
    await until(() => server.budget.bytes === 0);
    assert.equal(server.budget.requests, 0);
  });

  test("a message that waits for its turn is paid for", async () => {
    const { server, held } = await setUp({ webSocketLimits: { maxInFlight: 1 } });
    const client = await new Client(server, "/v2/models/held/stream").open();
    client.socket.send(request("a", [1, 2]));
    await until(() => held.open.length === 1);
    client.socket.send("x".repeat(1_000_000));
    await until(() => server.budget.bytes > 900_000);
    // It arrives as a whole within these turns, and stays.
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(server.budget.bytes > 900_000, `${server.budget.bytes}`);
    held.open[0]!();
    assert.equal((await client.answer()).id, "a");
    assert.equal((await client.answer()).status, 400);
    await until(() => server.budget.requests === 0);
    assert.equal(server.budget.bytes, 0);
  });

  test("half a message for which there is no room closes its connection with 1013", async () => {
    const budget = createByteBudget({ maxBytes: 200_000, maxRequests: 10 });
    const { server } = await setUp({ budget });
    const client = await new Client(server, "/v2/models/wide/stream").open();
    client.socket.send("x".repeat(1_000_000), { fin: false });
    assert.deepEqual((await client.end()).code, 1013);
    await until(() => budget.bytes === 0);
  });

  test("a client that sends thousands of messages and goodbye at once ends nobody's server", async () => {
    const { server } = await setUp();
    const client = await new Client(server, "/v2/models/echo/stream").open();
    for (let i = 0; i < 20_000; i++) client.socket.send("{}");
    client.socket.close();
    await client.end();
    await until(() => server.budget.requests === 0);
    const other = await new Client(server, "/v2/models/echo/stream").open();
    other.socket.send(request("a", [1, 2]));
    assert.equal((await other.answer()).id, "a");
  });

  test("of thousands of questions for a sign of life that come in one piece the last one is answered", async () => {
    const { server } = await setUp();
    const client = await new Client(server, "/v2/models/echo/stream").open();
    const pongs: string[] = [];
    client.socket.on("pong", (data: Buffer) => pongs.push(String(data)));
    for (let i = 0; i <= 3000; i++) client.socket.ping(String(i));
    await until(() => pongs.at(-1) === "3000");
    assert.ok(pongs.length < 2000, `${pongs.length} pongs`);
    client.socket.close();
    await client.end();
  });

  test("a client that asks for signs of life and reads none is cut off", async () => {
    const { server } = await setUp({ webSocketLimits: { maxUnreadBytes: 1000 } });
    const { port } = server;
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      "GET /v2/models/echo/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await once(socket, "data");
    socket.pause();
    // 100 pings of 125 bytes at a time.
    const ping = Buffer.concat([Buffer.from([0x89, 0xfd, 0, 0, 0, 0]), Buffer.alloc(125)]);
    const many = Buffer.concat(new Array<Buffer>(100).fill(ping));
    const closed = new Promise((resolve) => socket.on("close", resolve));
    const flood = (): void => {
      if (!socket.destroyed) socket.write(many, () => setImmediate(flood));
    };
    flood();
    await closed;
  });
});

test("a drain answers what was asked, closes with 1001, and lets nobody in", async () => {
  const { server, held } = await setUp();
  const client = await new Client(server, "/v2/models/held/stream").open();
  const idle = await new Client(server, "/v2/models/echo/stream").open();
  client.socket.send(request("last", [1, 2]));
  await until(() => held.open.length === 1);
  server.edge.setDraining();
  assert.equal((await refusal(server, "/v2/models/echo/stream"))[1].reason, "draining");
  const closed = server.edge.close();
  assert.deepEqual(await idle.end(), { code: 1001, why: "the server is shutting down" });
  assert.equal(client.closed, undefined);
  held.open[0]!();
  assert.equal((await client.answer()).id, "last");
  assert.equal((await client.end()).code, 1001);
  await closed;
});
