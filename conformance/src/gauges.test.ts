// Tests the built server: what `/metrics` says of the models at this moment.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type ChaosServer, startChaosServer } from "./chaos/chaos-server.ts";
import { createModelFolder, type ModelFolder } from "./chaos/model-folder.ts";
import { ROW_BYTES } from "./chaos/row.ts";
import { until } from "./until.kit.ts";

/** Longer than the tests take, so that what runs goes on running. */
const RUN_MS = 600_000;
const ROW = JSON.stringify({
  inputs: [{ name: "x", datatype: "UINT8", shape: [1, ROW_BYTES], data: new Array(ROW_BYTES).fill(1) }],
});
const STATES = ["unloaded", "loading", "ready", "draining", "failed"];

describe("gauges of models", () => {
  let folder: ModelFolder;
  let server: ChaosServer;

  before(async () => {
    folder = createModelFolder();
    folder.publish("slow", 1, {
      model: { sleepMs: RUN_MS },
      options: { instances: 2, max_batch_size: 1, warmup_runs: 0 },
    });
    folder.publishFiles("broken", 1, { "model.onnx": "no model at all" });
    const flags = [
      "--model-control=poll",
      "--poll-interval=100ms",
      "--drain-timeout=100ms",
      "--readiness=settled",
    ];
    server = await startChaosServer(folder.path, flags);
  });

  after(async () => {
    await server?.stop();
    folder?.remove();
  });

  const metrics = async (): Promise<string> => (await fetch(`${server.url}/metrics`)).text();

  /** The value of a series of the slow model; undefined: there is none. */
  const slow = (text: string, name: string): number | undefined => {
    const value = new RegExp(`^${name}\\{model="slow",version="1"\\} (\\S+)$`, "m").exec(text)?.[1];
    return value === undefined ? undefined : Number(value);
  };

  const stateOf = (text: string, model: string): string[] =>
    STATES.filter((state) =>
      text.includes(`sconce_model_state{model="${model}",version="1",state="${state}"} 1\n`),
    );

  test("they say what waits, what runs, and what there is to run it, and go with the version", async () => {
    const leaving = new AbortController();
    const infer = `${server.url}/v2/models/slow/infer`;
    for (let i = 0; i < 5; i++) {
      fetch(infer, { method: "POST", body: ROW, signal: leaving.signal }).catch(() => {});
    }
    let text = "";
    await until("two requests run and three wait", async () => {
      text = await metrics();
      return slow(text, "sconce_running_requests") === 2 && slow(text, "sconce_queue_requests") === 3;
    });
    assert.equal(slow(text, "sconce_queue_bytes"), 3 * ROW_BYTES, text);
    assert.equal(slow(text, "sconce_instances"), 2, text);
    assert.equal(slow(text, "sconce_instances_ready"), 2, text);
    for (const instance of ["0", "1"]) {
      const labels = `model="slow",version="1",instance="${instance}"`;
      const bytes = new RegExp(`^sconce_worker_resident_bytes\\{${labels}\\} (\\d+)$`, "m").exec(text)?.[1];
      assert.ok(Number(bytes) > 1_000_000, `a worker process of ${bytes} bytes`);
    }
    assert.deepEqual(stateOf(text, "slow"), ["ready"], text);
    assert.deepEqual(stateOf(text, "broken"), ["failed"], text);
    assert.doesNotMatch(
      text,
      /sconce_instances\{model="broken"/,
      "a model that is not in memory has no instances",
    );

    leaving.abort();
    await until(
      "those that waited are gone",
      async () => slow(await metrics(), "sconce_queue_requests") === 0,
    );
    rmSync(join(folder.path, "slow"), { recursive: true });
    await until(
      "nothing is said of the version any more",
      async () => !(await metrics()).includes('model="slow"'),
    );
  });
});
