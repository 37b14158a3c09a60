import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import { after, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import type { Logger } from "../base/logger.ts";
import { until } from "../base/until.kit.ts";
import { DEAD_MS, HealthBoard, UNREADY_MS } from "./health-board.ts";
import { startHealthServer } from "./health-server.ts";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

/** Against a test that hangs. */
const STALL_LIMIT_MS = 60_000;

interface Probe {
  /** When the answer to the question for readiness had come, since before the last beat. */
  readonly ms: number;
  readonly ready: number;
  readonly live: number;
}

/** A thread that asks again and again until it hears that the server is not ready, wakes the other thread, and tells what it heard. */
const PROBER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { url, cell } = workerData;
  const status = async (what) => (await fetch(url + what)).status;
  (async () => {
    await status("live");
    const startMs = performance.now();
    parentPort.postMessage("begun");
    const probes = [];
    do {
      const ready = await status("ready");
      probes.push({ ms: performance.now() - startMs, ready, live: await status("live") });
      await new Promise((resolve) => setTimeout(resolve, 10));
    } while (probes.at(-1).ready === 200);
    Atomics.store(cell, 0, 1);
    Atomics.notify(cell, 0);
    parentPort.postMessage(probes);
  })();
`;

test("a silence of 1 s makes it unready, one of 30 s dead, and a beat makes it well again", () => {
  const writer = new HealthBoard();
  const reader = new HealthBoard(writer.memory);
  writer.beat(5_000);
  assert.deepEqual(reader.judge(5_000), { live: true, ready: false });
  writer.setReady(true);
  assert.deepEqual(reader.judge(5_000 + UNREADY_MS - 1), { live: true, ready: true });
  assert.deepEqual(reader.judge(5_000 + UNREADY_MS), { live: true, ready: false });
  assert.deepEqual(reader.judge(5_000 + DEAD_MS - 1), { live: true, ready: false });
  assert.deepEqual(reader.judge(5_000 + DEAD_MS), { live: false, ready: false });
  writer.beat(50_000);
  assert.deepEqual(reader.judge(50_000), { live: true, ready: true });
  assert.deepEqual([UNREADY_MS, DEAD_MS], [1_000, 30_000]);
});

describe("the health port", async () => {
  let isReady = true;
  const webGate = {
    boundHost: "127.0.0.1",
    isLoopback: true,
    corsOrigins: [],
    allowedHosts: ["probes.example"],
  };
  const common = {
    host: "127.0.0.1",
    notReadyStatus: 503,
    webGate,
    isReady: () => isReady,
    logger: SILENT,
  } as const;
  const health = await startHealthServer({ ...common, port: 0 });
  const url = `http://127.0.0.1:${health.address.port}`;
  const timer = setInterval(() => health.beat(), 10);
  after(() => {
    clearInterval(timer);
    return health.close();
  });
  const status = async (path: string, method = "GET"): Promise<number> =>
    (await fetch(url + path, { method })).status;

  test("says what is, and nothing else", async () => {
    // Where this thread gets no time for a second, its beats are missed.
    await until("a beat is heard", async () => (await status("/v2/health/ready")) === 200);
    assert.deepEqual(await (await fetch(`${url}/v2/health/ready`)).json(), { live: true, ready: true });
    assert.deepEqual(await (await fetch(`${url}/v2/health/live?x=1`)).json(), { live: true });
    assert.equal(await status("/v2/health/ready", "HEAD"), 200);
    assert.equal(await status("/v2/health/live", "POST"), 405);
    assert.equal(await status("/metrics"), 404);
  });

  test("a change shows at the next request when it was announced, and soon when not", async () => {
    isReady = false;
    health.refresh();
    assert.equal(await status("/v2/health/ready"), 503);
    assert.equal(await status("/v2/health/live"), 200);
    isReady = true;
    await until("it is ready", async () => (await status("/v2/health/ready")) === 200);
  });

  test("is answered while this thread stands still: ready for a second, then not", async () => {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    const prober = new Worker(PROBER, { eval: true, workerData: { url: `${url}/v2/health/`, cell } });
    await once(prober, "message");
    health.beat();
    assert.notEqual(
      Atomics.wait(cell, 0, 0, STALL_LIMIT_MS),
      "timed-out",
      "it never said that it is not ready",
    );
    health.beat();
    const [probes] = (await once(prober, "message")) as [readonly Probe[]];
    for (const { ms, ready, live } of probes) {
      if (ready === 503) assert.ok(ms >= UNREADY_MS, `not ready after ${ms} ms`);
      assert.equal(live, 200, `not alive after ${ms} ms`);
    }
    assert.equal(probes.at(-1)?.ready, 503);
    await until("it is ready again", async () => (await status("/v2/health/ready")) === 200);
  });

  test("answers neither web pages nor names that are not its own", async () => {
    const ask = (headers: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const { port } = health.address;
        get({ host: "127.0.0.1", port, path: "/v2/health/live", headers }, (response) =>
          resolve(response.resume().statusCode),
        ).on("error", reject);
      });
    assert.equal(await ask({ host: "probes.example:8081" }), 200);
    assert.equal(await ask({ host: "rebound.example" }), 403);
    assert.equal(await ask({ origin: "https://page.example" }), 403);
  });

  test("a port that is taken is an error of the start", async () => {
    await assert.rejects(startHealthServer({ ...common, port: health.address.port }), /EADDRINUSE/);
  });
});
