import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { until } from "../base/until.kit.ts";
import type { Worker } from "../worker/worker.ts";
import { PLAIN_LOAD } from "./plain-load.ts";
import { whenIdle } from "./when-idle.ts";
import { createWorkerRuntime } from "./worker-runtime.ts";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };
const folder = mkdtempSync(join(tmpdir(), "warm-"));
after(() => rmSync(folder, { recursive: true }));

describe("whenIdle()", () => {
  /** Of a worker, all that is looked at. */
  function watched() {
    const worker = { finishedCalls: 7, pendingCalls: 0 };
    const clock = new ManualClock();
    const state = { warmed: 0 };
    const stop = whenIdle({
      worker: worker as unknown as Worker,
      clock,
      act: () => void state.warmed++,
    });
    return { worker, clock, state, stop };
  }

  test("waits for a second without calls, and does it once", () => {
    const { worker, clock, state } = watched();
    worker.pendingCalls = 1;
    clock.advance(1000);
    worker.pendingCalls = 0;
    worker.finishedCalls++;
    clock.advance(1000);
    assert.equal(state.warmed, 0, "a call was answered in that second");
    clock.advance(1000);
    clock.advance(5000);
    assert.equal(state.warmed, 1);
  });

  test("gives up when it is told to", () => {
    const { clock, state, stop } = watched();
    stop();
    clock.advance(5000);
    assert.equal(state.warmed, 0);
    assert.equal(clock.pendingTimers, 0);
  });
});

test("a worker that dies of a larger batch than anybody sent comes back, and is spared that batch", async () => {
  const entry = join(folder, "entry.mjs");
  const journal = join(folder, "journal");
  writeFileSync(
    entry,
    `import { appendFileSync } from "node:fs";
    import { hostModel } from ${JSON.stringify(new URL("./model-host.js", import.meta.url).href)};
    const description = { signature: { inputs: [], outputs: [], batching: { kind: "off", reason: "test" } }, digest: "d",
      platform: "test", runtime: "onnx", runtimeReason: "test", parameterCount: 0, weightBytes: 0, warnings: [], loadMs: {} };
    hostModel(async () => {
      appendFileSync(${JSON.stringify(journal)}, "loaded ");
      return { description, files: [], run: () => ({ outputs: [], computeMs: 0 }),
        warmUp: async () => { appendFileSync(${JSON.stringify(journal)}, "warmed "); process.exit(9); } };
    });`,
  );
  const runtime = createWorkerRuntime({
    name: "onnx",
    entry: pathToFileURL(entry),
    spares: 0,
    clock: systemClock,
    random: Math.random,
    logger: SILENT,
  });
  after(() => runtime.destroy("the test is over"));
  const model = await runtime.load(
    { name: "m", version: "1", file: entry, root: folder, options: PLAIN_LOAD },
    { signal: new AbortController().signal },
  );
  const written = (): string => (existsSync(journal) ? readFileSync(journal, "utf8") : "");
  await until("it was warmed", () => written() === "loaded warmed loaded ");
  await until("it is back", () => model.instances[0]!.state.kind === "ready");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.equal(written(), "loaded warmed loaded ");
  assert.deepEqual((await model.instances[0]!.run({ inputs: [] })).outputs, []);
});
