import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { until } from "../base/until.kit.ts";
import { nodeCommand, WorkerProcess, type WorkerProcessOptions } from "./worker-process.ts";

/** Against tests that hang. */
const PATIENCE_MS = 60_000;

const here = (file: string): string => new URL(file, import.meta.url).href;

/** Worker entries as text, so that each test shows what runs on the other side. */
const folder = mkdtempSync(join(tmpdir(), "worker-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

function entry(code: string): URL {
  const file = join(folder, `${files++}.mjs`);
  writeFileSync(file, code);
  return pathToFileURL(file);
}

const SERVE = `import { serveWorker } from ${JSON.stringify(here("./serve-worker.js"))};\n`;
const ECHO = `${SERVE}serveWorker(({ header, payload }) => ({ header, chunks: [payload] }));`;

interface LogLine {
  readonly message: string;
  readonly fields: object;
}

function start(
  code: string,
  options: Partial<Pick<WorkerProcessOptions, "startTimeoutMs" | "activeWait">> = {},
): { worker: WorkerProcess; log: LogLine[] } {
  const log: LogLine[] = [];
  const add = (fields: object, message: string): number => log.push({ fields, message });
  const logger: Logger = { debug: add, info: add, warn: add, error: add, child: () => logger };
  const env = { SHOWN: "yes" };
  const common = { id: "w1", command: nodeCommand(entry(code)), env, clock: systemClock, logger };
  return { worker: new WorkerProcess({ startTimeoutMs: PATIENCE_MS, ...options, ...common }), log };
}

const call = (text: string, timeoutMs = PATIENCE_MS) => ({
  method: 1,
  header: Buffer.from(text),
  chunks: [Buffer.from("pay"), Buffer.from("load")],
  timeoutMs,
});

/** Waits for every answer, for so long at most, and stays awake for the next call; notes how each wait ended. */
function patient(waitMs: number, awakeMs = 0) {
  const [waits, inVain]: [boolean[], number[]] = [[], []];
  const activeWait: NonNullable<WorkerProcessOptions["activeWait"]> = {
    asked: () => waitMs,
    answered: () => awakeMs,
    waited: (isAnswered) => void waits.push(isAnswered),
    noneCame: () => void inVain.push(awakeMs),
  };
  return { ...activeWait, waits, inVain };
}

describe("WorkerProcess", () => {
  test("an answer that is waited for actively is the same, whatever its size", async () => {
    const activeWait = patient(PATIENCE_MS);
    const { worker } = start(ECHO, { activeWait });
    await worker.ready;
    for (const size of [0, 1, 100, 65_000, 65_536, 200_000, 3_000_000, 5]) {
      const payload = new Uint8Array(size).fill(size % 251);
      const answer = await worker.call({ ...call("sized"), chunks: [payload] });
      assert.ok(Buffer.from(answer.payload).equals(payload), `${size} bytes`);
    }
    const together = await Promise.all(["a", "b"].map((text) => worker.call(call(text))));
    assert.deepEqual(
      together.map(({ header }) => Buffer.from(header).toString()),
      ["a", "b"],
    );
    assert.deepEqual(new Set(activeWait.waits), new Set([true]));
    await worker.close();
  });

  test("a wait that is too short ends, and the answer comes all the same", async () => {
    const activeWait = patient(5);
    const slow = `${SERVE}serveWorker(async ({ header }) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { header, chunks: [] };
    });`;
    const { worker } = start(slow, { activeWait });
    await worker.ready;
    const { header } = await worker.call(call("late"));
    assert.equal(Buffer.from(header).toString(), "late");
    assert.deepEqual(activeWait.waits, [false]);
    await worker.close();
  });

  test("a process that stays awake after an answer takes the next call as ever, and falls asleep when none comes", async () => {
    const activeWait = patient(0, 5);
    const { worker } = start(ECHO, { activeWait });
    await worker.ready;
    for (let i = 0; i < 20; i++) {
      const { header } = await worker.call(call(`${i}`));
      assert.equal(Buffer.from(header).toString(), `${i}`);
    }
    const before = activeWait.inVain.length;
    await until("it falls asleep", () => activeWait.inVain.length > before);
    await worker.call(call("again"));
    await worker.close();
  });

  test("a worker that dies while its answer is waited for is reported as ever", async () => {
    const { worker } = start(`${SERVE}serveWorker(() => process.exit(7));`, {
      activeWait: patient(PATIENCE_MS),
    });
    await worker.ready;
    await assert.rejects(worker.call(call("die")), { reason: "worker_died" });
    assert.match((await worker.ended).reason, /code 7/);
  });

  test("answers calls in order, and ends when it is closed", async () => {
    const { worker } = start(ECHO);
    await worker.ready;
    const replies = await Promise.all(["a", "b", "c"].map((text) => worker.call(call(text))));
    assert.deepEqual(
      replies.map(({ header, payload }) => [Buffer.from(header).toString(), Buffer.from(payload).toString()]),
      [
        ["a", "payload"],
        ["b", "payload"],
        ["c", "payload"],
      ],
    );
    assert.equal(worker.finishedCalls, 3);
    await worker.close();
    assert.throws(() => process.kill(worker.pid!, 0));
    await assert.rejects(worker.call(call("d")), { reason: "worker_died_waiting" });
  });

  test("gives its environment and nothing else, and logs what it prints", async () => {
    const { worker, log } = start(`${SERVE}
      console.log(JSON.stringify(process.env)); console.error("to stderr");
      serveWorker(() => ({ header: new Uint8Array(0), chunks: [] }));`);
    await worker.ready;
    await worker.close();
    const out = log.map(({ message }) => message);
    assert.deepEqual(JSON.parse(out.find((line) => line.startsWith("{"))!), { SHOWN: "yes" });
    assert.ok(out.includes("to stderr"));
  });

  test("says why it ended before it was ready", async () => {
    const dead = start("process.exit(3);");
    await assert.rejects(dead.worker.ready, { code: "unavailable" });
    assert.equal((await dead.worker.ended).reason, "it exited with code 3");
    const mute = start("setInterval(() => {}, 1000);", { startTimeoutMs: 150 });
    assert.equal((await mute.worker.ended).reason, "it did not start within 0.15 s");
  });

  test("kills a worker that breaks the protocol, with a typed error", async () => {
    const { worker } =
      start(`import { writeSync } from "node:fs"; writeSync(3, "HTTP/1.1 200 OK and so on ...");
      setInterval(() => {}, 1000);`);
    await assert.rejects(worker.call(call("a")), { code: "internal", reason: "worker_protocol" });
    await worker.ended;
  });

  test("kills a worker that answers out of turn", async () => {
    const { worker } = start(`import { Socket } from "node:net";
      import { writeFrame } from ${JSON.stringify(here("./frame-writer.js"))};
      const socket = new Socket({ fd: 3 });
      socket.on("data", () => {});
      writeFrame(socket, { kind: 3, method: 0, id: 77, header: new Uint8Array(0), chunks: [] });`);
    await assert.rejects(worker.call(call("a")), { reason: "worker_protocol" });
  });

  test("a result written before the death still counts; the call after it is blamed", async () => {
    const { worker } = start(`${SERVE}
      let calls = 0;
      serveWorker(({ header }) => { if (++calls === 2) process.kill(process.pid, "SIGKILL"); return { header, chunks: [] }; });`);
    const results = await Promise.allSettled(["a", "b", "c"].map((text) => worker.call(call(text))));
    assert.deepEqual(
      results.map((result) =>
        result.status === "fulfilled" ? "answered" : (result.reason as { reason: string }).reason,
      ),
      ["answered", "worker_died", "worker_died_waiting"],
    );
    assert.equal((await worker.ended).reason, "it was killed by SIGKILL");
  });

  test("a result that is no promise is answered without a turn of the worker's event loop; now and then it gets one", async () => {
    const { worker } = start(`${SERVE}
      let turns = 0;
      serveWorker(() => { setImmediate(() => turns++); return { header: Buffer.from(String(turns)), chunks: [] }; });`);
    const turns = async () => Number(Buffer.from((await worker.call(call(""))).header).toString());
    let before = 0;
    for (let i = 0; i < 50; i++) before = await turns();
    // A machine that takes a second for some of them gives it some.
    assert.ok(before < 25, `${before} turns for 50 calls`);
    await setTimeout(1100);
    await turns();
    assert.ok((await turns()) > before);
    await worker.close();
  });

  test("a descriptor that does not block is read and written all the same", async () => {
    const { worker } = start(`${SERVE}import { Socket } from "node:net";
      new Socket({ fd: 3, readable: false });
      serveWorker(({ payload }) => ({ header: new Uint8Array(0), chunks: [payload] }));`);
    const large = { ...call(""), chunks: [new Uint8Array(2 ** 22).fill(7)] };
    for (const one of [call("a"), large, call("b")]) {
      const { payload } = await worker.call(one);
      assert.equal(Buffer.compare(payload, Buffer.concat(one.chunks)), 0);
    }
    worker.destroy("the test is over");
  });

  test("what a worker started is killed with it", async () => {
    const { worker } = start(`${SERVE}
      import { spawn } from "node:child_process";
      serveWorker(() => {
        const child = spawn("sleep", ["600"], { stdio: "ignore", env: { PATH: "/usr/bin:/bin" } });
        return { header: Buffer.from(String(child.pid)), chunks: [] };
      });`);
    const { header } = await worker.call(call("a"));
    const pid = Number(Buffer.from(header).toString());
    process.kill(pid, 0);
    worker.destroy("the test says so");
    assert.equal((await worker.ended).reason, "the test says so");
    await gone(pid);
  });

  test("ignores the signals that are meant for the whole service, and offers itself when memory runs out", async () => {
    const { worker } = start(ECHO);
    await worker.ready;
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.kill(worker.pid!, signal);
    assert.equal((await worker.call(call("a"))).payload.byteLength, 7);
    const score = `/proc/${worker.pid}/oom_score_adj`;
    if (existsSync(score)) assert.equal(readFileSync(score, "utf8"), "500\n");
    await worker.close();
  });

  test("an orphan ends by itself", async () => {
    const front = entry(`
      import { nodeCommand, WorkerProcess } from ${JSON.stringify(here("./worker-process.js"))};
      import { systemClock } from ${JSON.stringify(here("../base/clock.js"))};
      const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
      const worker = new WorkerProcess({ id: "w", command: nodeCommand(new URL(${JSON.stringify(entry(ECHO).href)})), env: {},
        clock: systemClock, logger, startTimeoutMs: ${PATIENCE_MS} });
      await worker.ready;
      console.log(worker.pid);`);
    const child = spawn(process.execPath, [front.pathname], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(child.stdout!, "data")) as [Buffer];
    const pid = Number(line.toString());
    process.kill(pid, 0);
    child.kill("SIGKILL");
    await gone(pid);
  });
});

/** Waits until a process has ended; a zombie that nobody has reaped yet counts as ended. */
async function gone(pid: number): Promise<void> {
  await until(`process ${pid} has ended`, () => {
    try {
      return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return true;
    }
  });
}
