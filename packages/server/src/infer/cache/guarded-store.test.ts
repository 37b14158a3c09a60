import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServeError } from "../../base/errors.ts";
import { ManualClock, silentLogger, turns } from "../../models/models.kit.ts";
import { GuardedStore } from "./guarded-store.ts";
import type { StoreConnection, StoreReply } from "./store-connection.ts";
import type { BreakerState, StoreFailure } from "./store-metrics.ts";

const CLAIM = { bytes: Uint8Array.of(1), leaseMs: 100 };
const TIMEOUT_MS = 5;

type Answering = (command: readonly (string | Buffer)[]) => Promise<StoreReply>;

const atOnce: Answering = async ([name]) =>
  (name === "PTTL" ? -2 : name === "SET" ? "OK" : null) as StoreReply;
const never: Answering = () => new Promise(() => {});

/** A store whose connections answer as the test says, and which can be lost. */
function setUp() {
  const clock = new ManualClock();
  const rig = {
    clock,
    answer: atOnce as Answering,
    canConnect: true,
    connections: 0,
    destroyed: 0,
    lose: (_reason: string): void => {},
    states: [] as BreakerState[],
    failures: [] as StoreFailure[],
    logged: [] as string[],
  };
  const connect = async (): Promise<StoreConnection> => {
    if (!rig.canConnect) throw new ServeError("unavailable", "connect ECONNREFUSED");
    rig.connections += 1;
    return {
      send: (command) => rig.answer(command),
      onEnd(listener) {
        rig.lose = listener;
      },
      destroy() {
        rig.destroyed += 1;
      },
    };
  };
  const log = (_: object, message: string): void => void rig.logged.push(message);
  const store = new GuardedStore({
    connect,
    clock,
    defer: (callback) => void Promise.resolve().then(callback),
    random: () => 1,
    logger: { ...silentLogger, info: log, warn: log },
    metrics: {
      state: (state) => void rig.states.push(state),
      failed: (reason) => void rig.failures.push(reason),
      waited() {},
    },
    timeoutMs: TIMEOUT_MS,
    maxValueBytes: 1024,
  });
  return { rig, store };
}

async function started(): Promise<ReturnType<typeof setUp>> {
  const both = setUp();
  both.store.start();
  await turns();
  assert.equal(both.store.isUsable, true);
  return both;
}

/** One look-up that nobody answers, until its time is over. */
async function missOne({ rig, store }: ReturnType<typeof setUp>): Promise<void> {
  const entry = store.look("k", CLAIM);
  await rig.clock.advance(TIMEOUT_MS);
  assert.equal(await entry, undefined);
}

describe("a store that is left alone when it is of no use", () => {
  test("is not asked before it is connected, nor while it cannot be", async () => {
    const { rig, store } = setUp();
    rig.canConnect = false;
    assert.equal(store.look("k", CLAIM), undefined);
    store.start();
    await turns();
    assert.equal(store.look("k", CLAIM), undefined);
    rig.canConnect = true;
    await rig.clock.advance(100);
    assert.notEqual(store.look("k", CLAIM), undefined);
    assert.deepEqual(rig.states.slice(-2), ["half_open", "closed"]);
  });

  test("after n failures in a row, not after n − 1", async () => {
    const both = await started();
    const { rig, store } = both;
    rig.answer = never;
    for (let i = 0; i < 4; i++) await missOne(both);
    assert.equal(store.isUsable, true);
    await missOne(both);
    assert.equal(store.isUsable, false);
    assert.equal(rig.destroyed, 1);
    assert.equal(store.look("k", CLAIM), undefined);
    assert.deepEqual(rig.failures, Array(5).fill("timeout"));
  });

  test("when a single answer does not end: its beginning is in memory; one that is only late changes nothing", async () => {
    const both = await started();
    const { rig, store } = both;
    const late: (() => void)[] = [];
    rig.answer = (command) => new Promise((resolve) => late.push(async () => resolve(await atOnce(command))));
    await missOne(both);
    for (const answer of late.splice(0)) answer();
    await turns();
    await rig.clock.advance(100);
    assert.equal(store.isUsable, true);
    await missOne(both);
    await rig.clock.advance(99);
    assert.equal(store.isUsable, true);
    await rig.clock.advance(1);
    assert.equal(store.isUsable, false);
    assert.equal(rig.destroyed, 1);
    assert.deepEqual(rig.failures, ["timeout", "timeout", "lost"]);
  });

  test("and whoever waits for it then is let go at once", async () => {
    const { rig, store } = await started();
    rig.answer = never;
    const waiting = Array.from({ length: 20 }, () => store.look("k", CLAIM));
    rig.lose("read ECONNRESET");
    assert.deepEqual(await Promise.all(waiting), Array(20).fill(undefined));
    assert.equal(store.isUsable, false);
    assert.deepEqual(rig.failures, ["lost"]);
  });

  test("is tried by a question of its own, later each time, and said once in the log", async () => {
    const { rig, store } = await started();
    rig.lose("gone");
    rig.answer = never;
    const pauses = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
    for (const [i, pauseMs] of pauses.entries()) {
      await rig.clock.advance(pauseMs - 1);
      assert.equal(rig.connections, 1 + i, `${pauseMs}`);
      await rig.clock.advance(1);
      assert.equal(rig.connections, 2 + i, `${pauseMs}`);
      await rig.clock.advance(TIMEOUT_MS);
      assert.equal(store.isUsable, false);
    }
    rig.answer = atOnce;
    await rig.clock.advance(5000);
    assert.equal(store.isUsable, true);
    assert.equal(rig.logged.filter((line) => line.includes("left alone")).length, 1);
    assert.equal(rig.logged.filter((line) => line.includes("is used")).length, 2);
    // It was well for long: its record is clean.
    await rig.clock.advance(10_000);
    rig.lose("again");
    await rig.clock.advance(100);
    assert.equal(store.isUsable, true);
  });

  test("not for refusing to write, and not for what lies under a key", async () => {
    const { rig, store } = await started();
    rig.answer = async ([name]) => {
      if (name === "SET") return { word: "OOM", message: "OOM command not allowed" };
      return { word: "WRONGTYPE", message: "WRONGTYPE of value" };
    };
    for (let i = 0; i < 10; i++) {
      const entry = await store.look("k", CLAIM);
      assert.deepEqual([entry?.bytes.length, entry?.isClaimed], [1, false]);
    }
    assert.equal(store.isUsable, true);
    assert.equal(rig.logged.filter((line) => line.includes("takes no new answers")).length, 1);
  });

  test("for refusing to read", async () => {
    const { rig, store } = await started();
    rig.answer = async () => ({ word: "NOPERM", message: "NOPERM no permissions" });
    for (let i = 0; i < 5; i++) assert.equal(await store.look("k", CLAIM), undefined);
    assert.equal(store.isUsable, false);
    assert.equal(rig.failures.filter((reason) => reason === "refused").length, 5);
  });
});

test("no more is on its way than there is room for", async () => {
  const { rig, store } = await started();
  rig.answer = never;
  for (let i = 0; i < 1024; i++) assert.notEqual(store.look("k", CLAIM), undefined, `${i}`);
  assert.equal(store.look("k", CLAIM), undefined);
  assert.equal(rig.failures.at(-1), "busy");
  const other = await started();
  const sent: number[] = [];
  other.rig.answer = ([, , value]) => {
    sent.push((value as Buffer).length);
    return never([]);
  };
  const half = new Uint8Array(8 * 1024 * 1024);
  for (const bytes of [half, half, half.subarray(0, 1)]) other.store.put("k", bytes, 1000);
  assert.deepEqual(sent, [half.length, half.length]);
});

test("closing lets what is on its way arrive, and waits no longer than a request would", async () => {
  const { rig, store } = await started();
  let arrive = (): void => {};
  rig.answer = () =>
    new Promise((resolve) => {
      arrive = () => resolve(1);
    });
  store.put("k", Uint8Array.of(1), 1000);
  let isClosed = false;
  const closing = store.close().then(() => {
    isClosed = true;
  });
  await turns();
  assert.equal(isClosed, false);
  arrive();
  await closing;
  assert.deepEqual([rig.destroyed, store.isUsable], [1, false]);
  const other = await started();
  other.rig.answer = never;
  other.store.put("k", Uint8Array.of(1), 1000);
  const late = other.store.close();
  await other.rig.clock.advance(TIMEOUT_MS);
  await late;
  assert.equal(other.store.isUsable, false);
});
