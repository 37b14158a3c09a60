// Tests the built server with --edges 2: two processes that speak with clients are one server to them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { protoClient } from "./grpc-client.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

const BIN = fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url));
/** Of both processes together. */
const MOST_CONNECTIONS = 40;
const TOKEN = "the-administrator-of-this-test";
const body = JSON.stringify({ input: nestedImage(expectedDigits().digits[0]!) });
const image = nestedImage(expectedDigits().digits[0]!).flat(2) as number[];

let tenants = 0;

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One connection, used for one request after the other. */
class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Rejects when the connection breaks. */
  ask(path: string, headers: Readonly<Record<string, string>> = {}, sent: string = body): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = String(Buffer.byteLength(sent));
      const outgoing = request(`${this.#url}${path}`, {
        method: "POST",
        agent: this.#agent,
        headers: {
          "content-type": "application/json",
          "content-length": length,
          // Each is somebody else's, unless it says whose it is.
          "x-tenant": String(tenants++),
          ...headers,
        },
      });
      outgoing.on("error", reject);
      outgoing.on("response", async (response) => {
        let text = "";
        try {
          for await (const piece of response.setEncoding("utf8")) text += piece;
          resolve({ status: response.statusCode ?? 0, text });
        } catch (error) {
          reject(error);
        }
      });
      outgoing.end(sent);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function modelsFolder(): string {
  const root = mkdtempSync(join(tmpdir(), "sconce-edges-"));
  for (const [name, yaml] of [
    ["plain", ""],
    ["gathers", "max_batch_size: 4\nmax_queue_delay: 60s\n"],
  ] as const) {
    mkdirSync(join(root, name));
    cpSync(join(MODELS_FOLDER, "digits.pt2"), join(root, name, "model.pt2"));
    if (yaml !== "") writeFileSync(join(root, name, "model.yaml"), yaml);
  }
  return root;
}

describe("--edges 2", () => {
  /** Load of a test goes on until the test has ended, however that is. */
  let running = false;
  afterEach(() => {
    running = false;
  });
  const root = modelsFolder();
  let server: ServerProcess;
  let clients: readonly [Client, Client];
  before(async () => {
    server = await startServerProcess([
      ...[root, "--edges", "2", "--tenant-header", "x-tenant"],
      ...["--tenant-quota", "0.01", "--tenant-quota-burst", "5"],
      ...["--model-control", "explicit", "--load-models", "plain,gathers", "--admin-token", TOKEN],
      ...["--max-connections", String(MOST_CONNECTIONS)],
    ]);
    clients = [new Client(server.url), new Client(server.url)];
    // Each connection goes to the process that has fewest; those of what asked before may still be there.
    for (const client of clients) assert.equal((await client.ask("/predict/plain")).status, 200);
    await until("one connection is at each process", async () => {
      const [first, second] = [
        await metric('sconce_edge_connections{edge="1"}'),
        await metric('sconce_edge_connections{edge="2"}'),
      ];
      return first >= 1 && second >= 1;
    });
  });
  after(async () => {
    for (const client of clients ?? []) client.close();
    await server?.stop();
    rmSync(root, { recursive: true, force: true });
  });

  const metrics = async (): Promise<string> => (await fetch(`${server.url}/metrics`)).text();
  async function metric(name: string): Promise<number> {
    const line = (await metrics()).split("\n").find((one) => one.startsWith(`${name} `));
    return line === undefined ? 0 : Number(line.slice(name.length + 1));
  }

  test("requests that come by both processes and both protocols share a run", async () => {
    const oip = protoClient({
      proto: "inference/grpc_service.proto",
      service: "inference.GRPCInferenceService",
      target: server.authority,
    });
    const others = new Client(server.url);
    try {
      const [first, second, third, fourth] = await Promise.all([
        clients[0].ask("/predict/gathers"),
        clients[1].ask("/predict/gathers"),
        others.ask(
          "/v2/models/gathers/infer",
          {},
          JSON.stringify({
            inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: image }],
          }),
        ),
        oip.unary("ModelInfer", {
          modelName: "gathers",
          inputs: [
            { name: "image", datatype: "FP32", shape: [1, 1, 8, 8], contents: { fp32Contents: image } },
          ],
        }),
      ]);
      assert.deepEqual([first!.status, second!.status, third!.status], [200, 200, 200]);
      assert.equal(first!.text, second!.text);
      assert.equal((fourth as { modelName?: string }).modelName, "gathers");
      const statistics = (await (await fetch(`${server.url}/v2/models/gathers/stats`)).json()) as {
        readonly model_stats: readonly [
          {
            readonly batch_stats: readonly {
              readonly batch_size: number;
              readonly compute_infer: { readonly count: number };
            }[];
          },
        ];
      };
      const batches = statistics.model_stats[0].batch_stats.map((one) => [
        one.batch_size,
        one.compute_infer.count,
      ]);
      assert.deepEqual(batches, [[4, 1]]);
    } finally {
      oip.close();
      others.close();
    }
  });

  test("a client that leaves cancels what it asked for, whichever process it came by", async () => {
    const before = await metric('sconce_rejections_total{model="gathers",version="1",reason="cancelled"}');
    const leaving = [new Client(server.url), new Client(server.url)];
    const asked = leaving.map((client) => client.ask("/predict/gathers").catch(String));
    await until(
      "both wait in the queue",
      async () => (await metric('sconce_queue_requests{model="gathers",version="1"}')) === 2,
    );
    for (const client of leaving) client.close();
    await Promise.all(asked);
    await until("both are cancelled", async () => {
      return (
        (await metric('sconce_rejections_total{model="gathers",version="1",reason="cancelled"}')) ===
        before + 2
      );
    });
  });

  test("/metrics shows what both processes have counted", async () => {
    const name = 'sconce_inferences_total{model="plain",protocol="rest",code="ok"}';
    const encoded = 'sconce_inference_stage_seconds_count{model="plain",version="1",stage="encode"}';
    // A process that is too busy to reply is seen as it was, until the next look.
    let before = -1;
    await until("nothing is left to be counted", async () => {
      const last = before;
      before = await metric(name);
      return before === last && (await metric(encoded)) === before;
    });
    await Promise.all(
      clients.flatMap((client) => Array.from({ length: 10 }, () => client.ask("/predict/plain"))),
    );
    for (const counter of [name, encoded])
      await until(`20 more are counted: ${counter}`, async () => (await metric(counter)) === before + 20);
  });

  test("a tenant's quota is the same by two processes as by one", async () => {
    const asked = clients.flatMap((client) =>
      Array.from({ length: 10 }, () => client.ask("/predict/plain", { "x-tenant": "a" })),
    );
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 5);
    assert.equal(statuses.filter((status) => status === 429).length, 15);
  });

  test("--max-connections counts the connections of both processes together", async () => {
    const opened: Client[] = [];
    const isAccepted = (): Promise<boolean> => {
      const client = new Client(server.url);
      opened.push(client);
      return client.ask("/predict/plain").then(
        ({ status }) => status === 200,
        () => false,
      );
    };
    try {
      while (await isAccepted()) assert.ok(opened.length < MOST_CONNECTIONS, `${opened.length} are open`);
      assert.ok(opened.length > MOST_CONNECTIONS / 2, `${opened.length} were open`);
      opened[0]!.close();
      await until("the place of the one that left is another's", isAccepted);
    } finally {
      for (const client of opened) client.close();
    }
    await until("there is room for all again", () =>
      metrics().then(
        (text) => /^sconce_edge_connections\{edge="1"\} \d$/m.test(text),
        () => false,
      ),
    );
  });

  test("a reload under load fails no request", async () => {
    running = true;
    const loads = clients.map(async (client) => {
      let answers = 0;
      for (; running; answers++) assert.equal((await client.ask("/predict/plain")).status, 200);
      return answers;
    });
    const authorization = `Bearer ${TOKEN}`;
    for (let i = 0; i < 2; i++) {
      const url = `${server.url}/v2/repository/models/plain/load`;
      writeFileSync(join(root, "plain", "model.yaml"), `max_batch_size: ${8 + i}\n`);
      const loaded = await fetch(url, { method: "POST", headers: { authorization } });
      assert.equal(loaded.status, 200, await loaded.text());
    }
    running = false;
    for (const answers of await Promise.all(loads)) assert.ok(answers > 0);
  });

  test("what is loaded and unloaded by one process is so for the other at once, or a moment later", async () => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const unloaded = await clients[0].ask("/v2/repository/models/plain/unload", headers, "{}");
    assert.equal(unloaded.status, 200, unloaded.text);
    for (const client of clients) assert.equal((await client.ask("/predict/plain")).status, 503);
    const loaded = await clients[1].ask("/v2/repository/models/plain/load", headers, "{}");
    assert.equal(loaded.status, 200, loaded.text);
    for (const client of clients) assert.equal((await client.ask("/predict/plain")).status, 200);
  });

  test("kill -9 of one process under load breaks its connections only, and another takes its place", async () => {
    running = true;
    const broken: string[] = [];
    const answers = [0, 0];
    const loads = clients.map(async (client, i) => {
      while (running) {
        try {
          assert.equal((await client.ask("/predict/plain")).status, 200);
          answers[i]! += 1;
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          broken.push(`${i}: ${error}`);
        }
      }
    });
    await until("both have answers", () => answers.every((count) => count > 10));
    const [killed, other] = edgePids(server.pid);
    process.kill(killed!, "SIGKILL");
    await until("another process is there", () => {
      const pids = edgePids(server.pid);
      return pids.length === 2 && !pids.includes(killed!);
    });
    assert.ok(edgePids(server.pid).includes(other!));
    const then = [...answers];
    await until("both have answers again", () => answers.every((count, i) => count > then[i]! + 10));
    running = false;
    await Promise.all(loads);
    // None, where that connection was between two requests.
    assert.ok(broken.length <= 1, broken.join("\n"));
    assert.equal(
      (await metric('sconce_edge_restarts_total{edge="1"}')) +
        (await metric('sconce_edge_restarts_total{edge="2"}')),
      1,
    );
    assert.match(server.output(), /an edge process ended: it was killed by SIGKILL/);
  });

  test("SIGTERM: requests that both processes have begun to read are answered, exit 0", async () => {
    const agent = new Agent();
    const held = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const outgoing = request(`${server.url}/predict/plain`, {
          method: "POST",
          agent,
          headers: {
            "content-length": Buffer.byteLength(body),
            expect: "100-continue",
            "x-tenant": String(tenants++),
          },
        });
        outgoing.flushHeaders();
        await once(outgoing, "continue");
        return outgoing;
      }),
    );
    const stopped = server.stop("SIGTERM");
    await until("the server says that it drains", () => server.output().includes("draining: not ready"));
    const statuses = await Promise.all(
      held.map(async (outgoing) => {
        outgoing.end(body);
        const [response] = (await once(outgoing, "response")) as [{ statusCode: number; resume(): void }];
        response.resume();
        return response.statusCode;
      }),
    );
    assert.deepEqual(statuses, [200, 200, 200, 200]);
    assert.equal((await stopped).code, 0);
    assert.deepEqual(edgePids(server.pid), []);
    agent.destroy();
  });
});

test("options that are for one process alone are refused with --edges, in one sentence", () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [BIN, "serve", MODELS_FOLDER, "--edges", "2", "--shared-memory", "system"],
    { encoding: "utf8" },
  );
  assert.notEqual(status, 0);
  assert.match(stderr, /--edges does not go with --shared-memory: .*; leave --edges at 1/);
});

/** Processes of a server that speak with clients. */
function edgePids(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter(Boolean);
    return children
      .map(Number)
      .filter((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes("edge-main"));
  } catch {
    return [];
  }
}
