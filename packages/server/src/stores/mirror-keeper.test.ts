import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../base/logger.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import type { StoreState } from "../base/store-state.ts";
import type { MirrorChange } from "./mirror.ts";
import { MirrorKeeper } from "./mirror-keeper.ts";
import { mayPass, statusError } from "./store-error.ts";

const CHANGE: MirrorChange = { files: 1, removed: 0 };

function rig({ readAtMs, intervalMs }: { readonly readAtMs?: number; readonly intervalMs?: number }) {
  const clock = new ManualClock();
  const outcomes: boolean[] = [];
  const states: StoreState[] = [];
  let syncs = 0;
  let next = (): Promise<MirrorChange | undefined> => Promise.resolve(CHANGE);
  const mirror = {
    readAtMs: readAtMs as number | undefined,
    async sync(): Promise<MirrorChange | undefined> {
      syncs += 1;
      const change = await next();
      mirror.readAtMs = 0;
      return change;
    },
  };
  const keeper: MirrorKeeper = new MirrorKeeper({
    mirror,
    display: "s3://b/p",
    intervalMs,
    clock,
    random: () => 1,
    logger: silentLogger,
    onChange: () => states.push(keeper.state),
    onOutcome: (isRead) => outcomes.push(isRead),
  });
  return {
    keeper,
    clock,
    outcomes,
    states,
    syncs: () => syncs,
    answerWith(answer: typeof next) {
      next = answer;
    },
    async advance(ms: number) {
      clock.advance(ms);
      await settled();
    },
  };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

const down = (): Promise<never> => Promise.reject(mayPass("it answers 503"));

test("a store that was read once is not asked again, unless it is polled or somebody looks", async () => {
  const once = rig({});
  assert.deepEqual(once.keeper.state, { kind: "pending", reason: "s3://b/p is being read" });
  await once.keeper.start();
  assert.deepEqual(once.keeper.state, { kind: "current" });
  await once.advance(1_000_000);
  assert.equal(once.syncs(), 1);
  await once.keeper.look();
  assert.equal(once.syncs(), 2);
  const polled = rig({ intervalMs: 500 });
  await polled.keeper.start();
  for (let i = 0; i < 3; i += 1) await polled.advance(500);
  assert.equal(polled.syncs(), 4);
  polled.keeper.close();
  await polled.advance(10_000);
  assert.equal(polled.syncs(), 4);
});

test("a store that cannot be read is tried again, more and more seldom, and what is known of it is said", async () => {
  const { keeper, clock, answerWith, advance, syncs, states, outcomes } = rig({});
  answerWith(down);
  await keeper.start();
  const reason = "s3://b/p cannot be read: it answers 503; it is tried again";
  assert.deepEqual(keeper.state, { kind: "absent", reason });
  for (const pauseMs of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
    const before = syncs();
    await advance(pauseMs - 1);
    assert.equal(syncs(), before, `${pauseMs}`);
    await advance(1);
    assert.equal(syncs(), before + 1, `${pauseMs}`);
  }
  assert.equal(states.length, 1, "the same again is no news");
  answerWith(() => Promise.reject(statusError(403)));
  await advance(60_000);
  assert.equal(states.length, 2);
  answerWith(() => Promise.resolve(CHANGE));
  await advance(60_000);
  assert.deepEqual(states.at(-1), { kind: "current" });
  assert.equal(outcomes.at(-1), true);
  assert.equal(clock.pendingTimers, 0);
});

test("with a copy a store that is down or silent at the start is waited for a moment", async () => {
  const refusing = rig({ readAtMs: 0 });
  refusing.answerWith(down);
  await refusing.keeper.start();
  const remark = "the copy of 1970-01-01T00:00:00.000Z serves: s3://b/p cannot be read: it answers 503";
  assert.deepEqual(refusing.keeper.state, { kind: "kept", remark });
  const silent = rig({ readAtMs: 0 });
  silent.answerWith(() => new Promise(() => {}));
  let isStarted = false;
  void silent.keeper.start().then(() => {
    isStarted = true;
  });
  await silent.advance(4999);
  assert.equal(isStarted, false);
  await silent.advance(1);
  assert.equal(isStarted, true);
  assert.match((silent.keeper.state as { readonly remark: string }).remark, /has not been read yet/);
});

test("a change is told of, although the state is the same", async () => {
  const { keeper, states, answerWith } = rig({ intervalMs: 100 });
  await keeper.start();
  await keeper.look();
  assert.equal(states.length, 2);
  answerWith(() => Promise.resolve(undefined));
  await keeper.look();
  assert.equal(states.length, 2);
});
