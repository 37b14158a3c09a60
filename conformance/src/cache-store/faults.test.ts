// Tests that nothing that happens to a real Redis costs a request.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { programOrReason } from "../program.ts";
import { until } from "../until.kit.ts";
import { createCacheRig, lookups, type SharingServer } from "./cache-rig.kit.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";
import { type SlowProxy, startSlowProxy } from "./slow-proxy.ts";

const { path, skip } = programOrReason("redis-server");

describe("a cache store in trouble", { skip }, () => {
  const rig = createCacheRig();
  let redis: RedisServer;
  let proxy: SlowProxy;
  let server: SharingServer;
  let row = 0;

  before(async () => {
    redis = await startRedis(path!);
    proxy = await startSlowProxy(redis.port);
    server = await rig.serve(`redis://127.0.0.1:${proxy.port}`, { flags: ["--cache-store-timeout=200ms"] });
  });
  after(async () => {
    await rig.close();
    proxy?.close();
    await redis?.kill();
  });

  /** Rows that nobody has asked for, until the breaker has this state: each is answered, whatever the store does. */
  const askUntil = (state: "closed" | "open") =>
    until(`the store's breaker is ${state}`, async () => {
      await Promise.all([1, 2, 3].map(() => server.ask(++row)));
      return (await server.metric(`sconce_cache_store_state{state="${state}"}`)) === 1;
    });
  const failures = (reason: string) => server.metric(`sconce_cache_store_failures_total{reason="${reason}"}`);

  const troubles: Readonly<
    Record<string, readonly [begin: () => void | Promise<void>, end: () => void | Promise<void>]>
  > = {
    dead: [() => redis.kill(), () => redis.restart()],
    hanging: [() => redis.suspend(), () => redis.resume()],
    slow: [() => proxy.slowDown(2000), () => proxy.slowDown(0)],
  };
  for (const [trouble, [begin, end]] of Object.entries(troubles)) {
    test(`${trouble}: every request is answered, soon nobody asks it, and it is used again when it is well`, async () => {
      await askUntil("closed");
      await begin();
      await askUntil("open");
      const skipped = await server.metric(lookups("skipped"));
      await server.ask(++row);
      assert.ok((await server.metric(lookups("skipped"))) > skipped);
      await end();
      await askUntil("closed");
      const misses = await server.metric(lookups("miss"));
      await until("it is asked again", async () => {
        await server.ask(++row);
        return (await server.metric(lookups("miss"))) > misses;
      });
    });
  }

  test("full: what it has is used, and it stays in use", async () => {
    await askUntil("closed");
    const other = await rig.serve(`redis://127.0.0.1:${redis.port}`);
    const kept = ++row;
    await server.ask(kept);
    // What is asked behind it shows that the answer is there.
    const misses = await server.metric(lookups("miss"));
    await until("the store answers", async () => {
      await server.ask(++row);
      return (await server.metric(lookups("miss"))) > misses;
    });
    await redis.say("CONFIG SET maxmemory 1");
    await server.ask(++row);
    await until("it refuses to write", async () => (await failures("write_refused")) > 0);
    const runs = rig.runs();
    await other.ask(kept);
    assert.equal(rig.runs(), runs);
    await askUntil("closed");
  });
});
