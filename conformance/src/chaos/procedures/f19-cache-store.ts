import { readFileSync } from "node:fs";
import { type RedisServer, startRedis } from "../../cache-store/redis-server.ts";
import { type SlowProxy, startSlowProxy } from "../../cache-store/slow-proxy.ts";
import { freePort } from "../../free-port.ts";
import { failuresWithReasons, maxOf, streamsOf, sumOf } from "../calibration.ts";
import type { LoadResult, LoadStream } from "../load-plan.ts";
import { sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";

const PROGRAM = process.env["SCONCE_TEST_REDIS_SERVER"] || "redis-server";
const PASSWORD = "not-what-the-server-knows";
/** A model far from where its queue alone would make p99 jump. */
const RUN_MS = 5;
const OPTIONS = { instances: 2, max_batch_size: 8, max_queue_size: 1_000, warmup_runs: 0 };
const PER_SECOND = 200;
const SHORT_PER_SECOND = 50;
const MOST_ADDED_MS = 1;
/** By a store that is used: a miss takes a way there and back, for `--cache-store-timeout` at most. */
const MOST_ADDED_IN_USE_MS = 5;
/** What p99 leaves out. */
const MOST_WAITED_SHARE = 0.01;
const SLOW_MS = 50;
const FLAP_MS = 300;
const PATIENCE_MS = 30_000;

interface Store {
  readonly redis: RedisServer;
  readonly proxy: SlowProxy;
}

/** What is done to the store while the load runs; `end` makes it well again. */
interface Trouble {
  readonly what: string;
  /** Nobody shall ask it any more. */
  readonly opens: boolean;
  begin(store: Store, isOver: () => boolean): unknown;
  end(store: Store): unknown;
}

const TROUBLES: readonly Trouble[] = [
  { what: "well", opens: false, begin() {}, end() {} },
  { what: "killed", opens: true, begin: ({ redis }) => redis.kill(), end: ({ redis }) => redis.restart() },
  { what: "hung", opens: true, begin: ({ redis }) => redis.suspend(), end: ({ redis }) => redis.resume() },
  {
    what: `slow by ${SLOW_MS} ms`,
    opens: true,
    begin: ({ proxy }) => proxy.slowDown(SLOW_MS),
    end: ({ proxy }) => proxy.slowDown(0),
  },
  {
    what: "refusing",
    opens: true,
    begin: ({ redis }) => redis.restart(["--requirepass", PASSWORD]),
    end: ({ redis }) => redis.restart(),
  },
  {
    what: "without room",
    opens: false,
    begin: ({ redis }) => redis.say("CONFIG SET maxmemory 1"),
    end: ({ redis }) => redis.say("CONFIG SET maxmemory 0"),
  },
  {
    what: "up and down",
    opens: true,
    async begin({ redis }, isOver) {
      while (!isOver()) {
        await redis.kill();
        await sleep(FLAP_MS);
        await redis.restart();
        await sleep(FLAP_MS);
      }
    },
    end: ({ redis }) => redis.restart(),
  },
];
/** What `npm test` has time for. */
const SHORT = new Set(["hung"]);

/** F19: the store of the response cache fails in every way, and no client notices. Every request asks it, since no two are equal. */
export const cacheStore: Procedure = {
  id: "F19",
  title: "a cache store that is killed, hung, slow or refuses",
  needs: ["redis-server"],
  async prepare(folder) {
    const port = await freePort();
    folder.configureAll({}, { cache_store: `redis://127.0.0.1:${port}` });
    for (const model of ["shared", "alone"]) {
      const cache = model === "shared" ? { cache: "16MiB" } : {};
      folder.publish(model, 1, { model: { sleepMs: RUN_MS }, options: { ...OPTIONS, ...cache } });
    }
  },
  async run(rig) {
    const redis = await startRedis(PROGRAM);
    const proxy = await startSlowProxy(redis.port, portOf(rig));
    try {
      await isStore(rig, "closed");
      await rig.load(300, streams(rig));
      const findings: Finding[] = [];
      const chosen = TROUBLES.filter(({ what }) => !rig.effort.isShort || SHORT.has(what));
      for (const trouble of chosen)
        findings.push(...(await underLoad(rig, { redis, proxy }, { trouble, of: chosen.length })));
      return findings;
    } finally {
      proxy.close();
      await redis.kill();
    }
  },
};

/** Where the server was told that the store is. */
function portOf({ folder }: Rig): number {
  const config = JSON.parse(readFileSync(folder.configFile, "utf8")) as { readonly cache_store: string };
  return Number(new URL(config.cache_store).port);
}

async function underLoad(
  rig: Rig,
  store: Store,
  { trouble, of }: { readonly trouble: Trouble; readonly of: number },
): Promise<Finding[]> {
  const { what, opens } = trouble;
  const durationMs = rig.effort.budgetMs / of;
  let isOver = false;
  const before = { failures: await failures(rig), waits: await waits(rig) };
  const load = rig.startLoad(durationMs + PATIENCE_MS, streams(rig));
  const begun = Promise.resolve(trouble.begin(store, () => isOver));
  await sleep(durationMs);
  const isOpen = !opens || (await isStore(rig, "open"));
  isOver = true;
  await load.stop();
  const result = await load.result;
  await begun;
  await trouble.end(store);
  const isBack = await isStore(rig, "closed");
  const waited = ((await waits(rig)) - before.waits) / streamsOf(result, "shared")[0]!.offered;
  return [
    ...judge(what, result, opens ? MOST_ADDED_MS : MOST_ADDED_IN_USE_MS),
    exactly(`used after it was ${what}`, String(isBack), "true"),
    ...(opens
      ? [
          atMost(`of 100 requests waited for it longer than 1 ms, ${what}`, 100 * waited, {
            max: 100 * MOST_WAITED_SHARE,
            kind: "pace",
          }),
          exactly(`left alone, ${what}`, String(isOpen), "true"),
          atLeast(`failures counted, ${what}`, (await failures(rig)) - before.failures, { min: 1 }),
        ]
      : []),
  ];
}

function judge(what: string, result: LoadResult, mostAddedMs: number): Finding[] {
  const [shared, alone] = ["shared", "alone"].map((name) => streamsOf(result, name));
  const [withStore, without] = [shared!, alone!].map((of) => maxOf(of, "okMs"));
  const p99s = `p99 with it ${withStore} ms, without ${without} ms`;
  return [
    exactly(`failed requests, ${what}`, failuresWithReasons(result.streams), "0"),
    exactly(
      `wrong answers, ${what}`,
      sumOf(result.streams, (stream) => stream.wrong),
      0,
    ),
    atMost(`added to p99 by a store that is ${what} (${p99s})`, withStore! - without!, {
      max: mostAddedMs,
      unit: " ms",
      kind: "pace",
    }),
  ];
}

/** Two models that differ in the cache alone, at the same time. */
function streams({ effort }: Rig): LoadStream[] {
  const perSecond = effort.isShort ? SHORT_PER_SECOND : PER_SECOND;
  const common = { protocol: "rest", perSecond, connections: 100 } as const;
  return ["shared", "alone"].map((model) => ({ ...common, name: model, model }));
}

function isStore(rig: Rig, state: "closed" | "open"): Promise<boolean> {
  const sample = `sconce_cache_store_state{state="${state}"} 1`;
  return until(async () => (await metrics(rig)).includes(sample), { withinMs: PATIENCE_MS, everyMs: 20 });
}

async function failures(rig: Rig): Promise<number> {
  const samples = (await metrics(rig)).matchAll(/^sconce_cache_store_failures_total\{[^}]*\} (\d+)$/gm);
  return [...samples].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Look-ups for which a request waited longer than a millisecond. */
async function waits(rig: Rig): Promise<number> {
  const text = await metrics(rig);
  const value = (sample: string): number =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${sample} `))
        ?.slice(sample.length) ?? 0,
    );
  return value("sconce_cache_store_seconds_count") - value('sconce_cache_store_seconds_bucket{le="0.001"}');
}

async function metrics({ server }: Rig): Promise<string> {
  return (await fetch(`${server.url}/metrics`)).text();
}
