import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { createLiveFeed, type LiveFigures, type LiveListener, MAX_LIVE_LISTENERS } from "./live-feed.ts";

interface Rig {
  readonly told: LiveFigures[];
  readonly listener: LiveListener;
  ended: number;
}

function listening(): Rig {
  const told: LiveFigures[] = [];
  const rig: Rig = {
    told,
    ended: 0,
    listener: {
      tell: (event) => told.push(JSON.parse(event.toString().slice("data: ".length)) as LiveFigures),
      end: () => {
        rig.ended++;
      },
    },
  };
  return rig;
}

function feedOf(isDraining: () => boolean = () => false) {
  const clock = new ManualClock();
  let requests = 0;
  let renders = 0;
  const metrics = {
    get: async () => {
      renders++;
      return Buffer.from(
        `# HELP x\nsconce_inferences_total{model="m"} ${requests}\nsconce_queue_requests{model="m"} 3\nsconce_queue_bytes{model="m"} 0\nprocess_cpu_seconds_total 7\n`,
      );
    },
  };
  const feed = createLiveFeed({ metrics, clock, isDraining });
  return {
    feed,
    /** A second in which so many requests came. */
    async second(came: number) {
      requests += came;
      clock.advance(1000);
      for (let i = 0; i < 10; i++) await Promise.resolve();
    },
    renders: () => renders,
  };
}

test("all who listen are told what was gained in the second, made once", async () => {
  const { feed, second, renders } = feedOf();
  const [first, other] = [listening(), listening()];
  feed.listen(first.listener);
  const stop = feed.listen(other.listener);
  await second(0);
  await second(5);
  const { counts, gauges, seconds } = first.told.at(-1)!;
  assert.equal(counts, 'sconce_inferences_total{model="m"} 5\n');
  assert.equal(gauges, 'sconce_queue_requests{model="m"} 3\n', "zeros and others' series are left out");
  assert.equal(seconds, 1);
  assert.deepEqual(other.told, first.told);
  const made = renders();
  await second(1);
  assert.equal(renders(), made + 1);
  stop();
  await second(1);
  assert.equal(first.told.length, other.told.length + 1);
});

test("nothing is made while nobody listens", async () => {
  const { feed, second, renders } = feedOf();
  assert.equal(renders(), 0);
  feed.listen(listening().listener)();
  await second(0);
  const made = renders();
  await second(1);
  await second(1);
  assert.equal(renders(), made);
  const later = listening();
  feed.listen(later.listener);
  await second(0);
  await second(4);
  const gained = later.told.map(({ counts }) => counts).join("");
  assert.equal(
    gained,
    'sconce_inferences_total{model="m"} 4\n',
    "what came while nobody listened is not told",
  );
});

test(`${MAX_LIVE_LISTENERS} may listen, and one more when one has gone`, () => {
  const { feed } = feedOf();
  const stops = Array.from({ length: MAX_LIVE_LISTENERS }, () => feed.listen(listening().listener));
  assert.throws(() => feed.listen(listening().listener), { reason: "too_many_listeners" });
  stops[0]!();
  feed.listen(listening().listener);
});

test("a drain ends the streams, and lets nobody begin one", async () => {
  let isDraining = false;
  const { feed, second } = feedOf(() => isDraining);
  const rig = listening();
  feed.listen(rig.listener);
  await second(0);
  isDraining = true;
  await second(0);
  assert.equal(rig.ended, 1);
  assert.throws(() => feed.listen(listening().listener), { reason: "draining" });
});
