import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { WorkerThread } from "./worker-thread.ts";

const folder = mkdtempSync(join(tmpdir(), "thread-"));
after(() => rmSync(folder, { recursive: true }));
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const SERVE = `import { serveWorker } from ${JSON.stringify(new URL("./serve-worker.js", import.meta.url).href)};\n`;
let files = 0;

async function start(code: string): Promise<WorkerThread> {
  const file = join(folder, `${files++}.mjs`);
  writeFileSync(file, code);
  const entry = pathToFileURL(file);
  const worker = new WorkerThread({ id: "t1", entry, env: {}, clock: systemClock, logger: silent });
  await worker.ready;
  return worker;
}

const call = { method: 1, header: Buffer.from("a"), chunks: [Buffer.from("b")], timeoutMs: 60_000 };

/** Long enough for a thread to answer, while this one reads nothing. */
function stall(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
}

describe("WorkerThread", () => {
  test("the server lives on when a thread is stopped whose result is on its way", async () => {
    const worker = await start(
      `${SERVE}serveWorker(({ header, payload }) => ({ header, chunks: [payload] }));`,
    );
    await worker.call(call);
    const answer = worker.call(call);
    stall();
    worker.destroy("its model is unloaded");
    await assert.rejects(answer, { reason: "worker_died", message: /its model is unloaded/ });
    // The result that nobody waits for is read now.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await worker.ended).reason, "its model is unloaded");
  });

  test("one that breaks the protocol is ended, and nothing else", async () => {
    const worker = await start(
      `import { parentPort } from "node:worker_threads";\n${SERVE}` +
        `serveWorker(() => new Promise(() => parentPort.postMessage({ kind: 2, id: 99, payload: new ArrayBuffer(0) })));`,
    );
    await assert.rejects(worker.call(call), { reason: "worker_protocol" });
    assert.match((await worker.ended).reason, /out of turn/);
  });
});
