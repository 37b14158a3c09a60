import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import type { Logger } from "../base/logger.ts";
import { DEAD_MS, HealthBoard, UNREADY_MS } from "./health-board.ts";
import { startHealthServer } from "./health-server.ts";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

const STALL_MS = 1_500;

interface Probe {
  /** Since the first probe. */
  readonly ms: number;
  readonly ready: number;
  readonly live: number;
}

/** A thread that asks again and again, and tells what it heard when it has heard enough. */
const PROBER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const probes = [];
  let isOver = false;
  parentPort.once("message", () => { isOver = true; });
  const status = async (what) => (await fetch(workerData + what)).status;
  (async () => {
    await status("live");
    parentPort.postMessage("begun");
    const startMs = performance.now();
    while (!isOver) {
      const [ready, live] = [await status("ready"), await status("live")];
      probes.push({ ms: performance.now() - startMs, ready, live });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
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
  const common = { host: "127.0.0.1", notReadyStatus: 503, isReady: () => isReady, logger: SILENT } as const;
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
    for (let i = 0; (await status("/v2/health/ready")) !== 200; i++) {
      assert.ok(i < 200);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  test("is answered while this thread stands still: ready for a second, then not", async () => {
    const prober = new Worker(PROBER, { eval: true, workerData: `${url}/v2/health/` });
    await once(prober, "message");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
    prober.postMessage("enough");
    const [probes] = (await once(prober, "message")) as [readonly Probe[]];
    const during = probes.filter(({ ms }) => ms < STALL_MS - 50);
    assert.ok(during.some(({ ms, ready }) => ms < UNREADY_MS && ready === 200));
    assert.ok(during.some(({ ready }) => ready === 503));
    for (const { ms, ready, live } of during) {
      if (ready === 503) assert.ok(ms >= UNREADY_MS - 50, `not ready after ${ms} ms`);
      assert.equal(live, 200);
    }
    assert.equal(await status("/v2/health/ready"), 200);
  });

  test("a port that is taken is an error of the start", async () => {
    await assert.rejects(startHealthServer({ ...common, port: health.address.port }), /EADDRINUSE/);
  });
});
