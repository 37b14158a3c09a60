// Tests backoff.ts, supervisor.ts, worker-pool.ts and output-lines.ts.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import type { Clock } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { Backoff } from "./backoff.ts";
import { readOutputLines } from "./output-lines.ts";
import { Supervisor, type SupervisorState } from "./supervisor.ts";
import { notStartedError, type Worker, type WorkerEnd, workerDiedError } from "./worker.ts";
import { pythonWorkerEnv, workerEnv } from "./worker-env.ts";
import { WorkerPool } from "./worker-pool.ts";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

/** A clock that moves when told. */
class TestClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Map<() => void, number>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = (): void => callback();
    this.#timers.set(timer, this.#nowMs + delayMs);
    return () => this.#timers.delete(timer);
  }

  /** Lets everything that is due happen, and what follows from it. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settled();
      const due = [...this.#timers].filter(([, atMs]) => atMs <= endMs).sort((a, b) => a[1] - b[1])[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#nowMs = Math.max(this.#nowMs, due[1]);
      due[0]();
    }
    this.#nowMs = endMs;
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A worker without a process: what a slot and a pool need of one. */
class FakeWorker implements Worker {
  readonly pid: undefined = undefined;
  readonly #ready = deferred<void>();
  readonly #ended = deferred<WorkerEnd>();
  readonly ready: Promise<void> = this.#ready.promise;
  readonly ended: Promise<WorkerEnd> = this.#ended.promise;
  finishedCalls = 0;
  pendingCalls = 0;
  isEnded = false;
  readonly id: string;

  constructor(id: string) {
    this.id = id;
    this.ready.catch(() => {});
  }

  start(): void {
    this.#ready.resolve();
  }

  die(reason: string, wasIdle = false): void {
    this.isEnded = true;
    this.#ready.reject(workerDiedError(reason, "executing"));
    this.#ended.resolve({ reason, wasIdle });
  }

  call(): Promise<never> {
    return Promise.reject(new Error("not used"));
  }

  async close(): Promise<void> {
    this.die("closed");
  }

  destroy(reason: string): void {
    this.die(reason);
  }
}

describe("Backoff", () => {
  test("waits not at all, then 0.1 s doubling to 30 s, shortened by up to half", () => {
    const clock = new TestClock();
    const longest = new Backoff(clock, () => 0);
    const delays = Array.from({ length: 12 }, () => longest.fault());
    assert.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    const shortest = new Backoff(clock, () => 1);
    assert.deepEqual([shortest.fault(), shortest.fault(), shortest.fault()], [0, 50, 100]);
    shortest.success();
    assert.equal(shortest.fault(), 0);
  });

  test("four faults in a minute are not loop, five are; older ones do not count", async () => {
    const clock = new TestClock();
    const backoff = new Backoff(clock, () => 0);
    for (let i = 0; i < 4; i++) backoff.fault();
    assert.equal(backoff.isLoop(), false);
    await clock.advance(59_999);
    backoff.fault();
    assert.equal(backoff.isLoop(), true);
    await clock.advance(60_000);
    backoff.fault();
    assert.equal(backoff.isLoop(), false);
  });
});

describe("Supervisor", () => {
  function slotOf(clock: TestClock): {
    slot: Supervisor;
    clock: TestClock;
    workers: FakeWorker[];
    states: SupervisorState["kind"][];
    fail: { next: ServeError | undefined };
  } {
    const workers: FakeWorker[] = [];
    const states: SupervisorState["kind"][] = [];
    const fail: { next: ServeError | undefined } = { next: undefined };
    const slot = new Supervisor({
      acquire: async () => {
        const worker = new FakeWorker(`w${workers.length}`);
        workers.push(worker);
        return worker;
      },
      prepare: async () => {
        if (fail.next !== undefined) throw fail.next;
      },
      isOutdated: (error) => error.reason === "model_file_changed",
      onChange: (state) => states.push(state.kind),
      clock,
      random: () => 0,
      logger: SILENT,
    });
    return { slot, clock, workers, states, fail };
  }

  test("replaces a dead worker at once, then with pauses, and gives up at the fifth death", async () => {
    const clock = new TestClock();
    const { slot, workers, states } = slotOf(clock);
    await slot.start();
    for (const pauseMs of [0, 100, 200, 400]) {
      workers.at(-1)!.die("gone");
      await clock.advance(Math.max(0, pauseMs - 1));
      if (pauseMs > 0) assert.equal(slot.state.kind, "restarting");
      await clock.advance(1);
      assert.equal(slot.state.kind, "ready");
    }
    workers.at(-1)!.die("gone");
    await clock.advance(0);
    assert.deepEqual(slot.state, {
      kind: "failed",
      reason: "the worker died 5 times in 60 s; last reason: gone",
    });
    await clock.advance(100_000);
    assert.equal(workers.length, 5);
    assert.equal(states.at(-1), "failed");
  });

  test("a worker that the system will not start is tried for until it does, however long that takes", async () => {
    const { slot, clock, workers, fail } = slotOf(new TestClock());
    await slot.start();
    fail.next = notStartedError("spawn EMFILE");
    workers.at(-1)!.die("gone");
    await clock.advance(300_000);
    assert.equal(slot.state.kind, "restarting");
    assert.ok(workers.length > 290, `${workers.length} tries`);
    fail.next = undefined;
    await clock.advance(1000);
    assert.equal(slot.state.kind, "ready");
  });

  test("a worker that stood idle when it was ended from outside does not count, one that had just begun does", async () => {
    const idle = slotOf(new TestClock());
    await idle.slot.start();
    for (let kill = 0; kill < 10; kill++) {
      await idle.clock.advance(1000);
      idle.workers.at(-1)!.die("killed", true);
      await idle.clock.advance(99);
      assert.equal(idle.slot.state.kind, "restarting");
      await idle.clock.advance(1);
      assert.equal(idle.slot.state.kind, "ready");
    }
    const young = slotOf(new TestClock());
    const busy = slotOf(new TestClock());
    for (const { slot, clock, workers } of [young, busy]) {
      await slot.start();
      for (let death = 0; death < 5; death++) {
        while (slot.state.kind === "restarting") await clock.advance(1);
        await clock.advance(workers === young.workers ? 990 : 1000);
        workers.at(-1)!.die("killed", workers === young.workers);
        await clock.advance(0);
      }
      assert.equal(slot.state.kind, "failed");
    }
  });

  test("a worker that is starting when its place is closed ends at once", async () => {
    const worker = new FakeWorker("w0");
    const slot = new Supervisor({
      // It never gets ready.
      acquire(onStart) {
        onStart(worker);
        return new Promise(() => {});
      },
      prepare: async () => {},
      isOutdated: () => false,
      onChange() {},
      clock: new TestClock(),
      random: () => 0,
      logger: SILENT,
    });
    void slot.start();
    slot.destroy("loading was cancelled");
    assert.ok(worker.isEnded);
  });

  test("a start that dies is tried once more; one that is rejected is not", async () => {
    const dying = slotOf(new TestClock());
    dying.fail.next = workerDiedError("gone", "executing");
    await assert.rejects(dying.slot.start(), { reason: "worker_died" });
    assert.equal(dying.workers.length, 2);
    const rejected = slotOf(new TestClock());
    rejected.fail.next = new ServeError("failed_precondition", "no", { reason: "untranslatable" });
    await assert.rejects(rejected.slot.start(), { reason: "untranslatable" });
    assert.equal(rejected.workers.length, 1);
    assert.ok(rejected.workers[0]!.isEnded, "its worker is not left behind");
  });

  test("closed while it waits to come back, it stays closed", async () => {
    const clock = new TestClock();
    const { slot, workers } = slotOf(clock);
    await slot.start();
    workers[0]!.die("gone");
    await clock.advance(0);
    workers[1]!.die("gone");
    await settled();
    await slot.close();
    await clock.advance(100_000);
    assert.equal(slot.state.kind, "closed");
    assert.equal(workers.length, 2);
  });
});

describe("WorkerPool", () => {
  test("hands out what was started ahead, refills later, and replaces spares that die, with pauses", async () => {
    const clock = new TestClock();
    const workers: FakeWorker[] = [];
    const wanted: boolean[] = [];
    const spawn = (id: string, isWanted: boolean): Worker => {
      const worker = new FakeWorker(id);
      workers.push(worker);
      wanted.push(isWanted);
      return worker;
    };
    const pool = new WorkerPool({ spawn, spares: 2, clock, random: () => 0, logger: SILENT });
    assert.equal(workers.length, 2);
    workers[0]!.start();
    assert.equal(await pool.take(), workers[0]);
    assert.equal(workers.length, 2);
    await clock.advance(250);
    assert.equal(workers.length, 3);
    workers[1]!.die("gone");
    await clock.advance(0);
    assert.equal(workers.length, 4);
    workers[2]!.die("gone");
    await clock.advance(99);
    assert.equal(workers.length, 4);
    await clock.advance(1);
    assert.equal(workers.length, 5);
    assert.deepEqual(
      wanted,
      [true, true, false, false, false],
      "only the first are for models that come soon",
    );
    await pool.close();
    assert.ok(workers.slice(1).every((worker) => worker.isEnded));
    await assert.rejects(pool.take(), { code: "unavailable" });
    await clock.advance(100_000);
    assert.equal(workers.length, 5);
  });
});

describe("readOutputLines()", () => {
  test("who writes more than 4 MiB in a quarter of a second waits for the rest of it", async () => {
    const clock = new TestClock();
    const stream = new PassThrough();
    readOutputLines(stream, clock, () => {});
    const piece = Buffer.alloc(1024 * 1024, "x");
    for (let i = 0; i < 5; i++) stream.write(piece);
    await settled();
    assert.ok(stream.isPaused());
    await clock.advance(250);
    assert.ok(!stream.isPaused());
    stream.write(piece);
    await settled();
    assert.ok(!stream.isPaused(), "a new quarter begins");
  });

  test("passes 100 lines a second, cuts long ones, and counts what it left out", async () => {
    const clock = new TestClock();
    const stream = new PassThrough();
    const lines: string[] = [];
    readOutputLines(stream, clock, (line) => lines.push(line));
    stream.write(`${"x".repeat(5000)}\npart`);
    stream.write("ial\n");
    for (let i = 0; i < 200; i++) stream.write(`line ${i}\n`);
    await settled();
    assert.equal(lines.length, 100);
    assert.equal(lines[0], `${"x".repeat(4096)}…`);
    assert.equal(lines[1], "partial");
    await clock.advance(1000);
    stream.end("last");
    await settled();
    assert.deepEqual(lines.slice(100), ["(102 more lines were left out)", "last"]);
    assert.equal(lines.length, 102);
  });
});

test("pythonWorkerEnv() passes on where programs and caches are, and no secrets", () => {
  const front = {
    PATH: "/bin",
    HOME: "/h",
    SCONCE_ADMIN_TOKEN: "s",
    AWS_SECRET_ACCESS_KEY: "s",
    PYTHONSTARTUP: "x.py",
  };
  assert.deepEqual(pythonWorkerEnv(front), { PATH: "/bin", HOME: "/h" });
});

test("workerEnv() passes on no secrets, and lets malloc give back large blocks", () => {
  assert.deepEqual(workerEnv({ LANG: "C", API_KEY: "s", PATH: "/bin", NODE_OPTIONS: "--inspect" }), {
    LANG: "C",
    MALLOC_MMAP_THRESHOLD_: "1048576",
  });
  assert.equal(workerEnv({ MALLOC_MMAP_THRESHOLD_: "65536" })["MALLOC_MMAP_THRESHOLD_"], "65536");
});
