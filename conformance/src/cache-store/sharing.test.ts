// Tests the shared response cache: servers in front of one real Redis.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { StoreConnection } from "../internals/cache-store.ts";
import { programOrReason } from "../program.ts";
import { until } from "../until.kit.ts";
import { createCacheRig, keysOf, lookups, openRedis, type SharingServer } from "./cache-rig.kit.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";

const { path, skip } = programOrReason("redis-server");

describe("servers that share answers", { skip }, () => {
  const rig = createCacheRig({ sleepMs: 20 });
  let redis: RedisServer;
  let raw: StoreConnection;
  let a: SharingServer;
  let b: SharingServer;
  let row = 0;

  before(async () => {
    redis = await startRedis(path!);
    raw = await openRedis(redis.port);
    const store = `redis://127.0.0.1:${redis.port}/0`;
    [a, b] = await Promise.all([rig.serve(store), rig.serve(store)]);
  });
  after(async () => {
    raw?.destroy();
    await rig.close();
    await redis?.kill();
  });

  /** Resolves with the key that this row's answer lies under. */
  async function shared(server: SharingServer, number: number): Promise<string> {
    const known = new Set(await keysOf(raw));
    await server.ask(number);
    let key: string | undefined;
    await until("the answer is in the store", async () => {
      key = (await keysOf(raw)).find((candidate) => !known.has(candidate));
      return key !== undefined && ((await raw.send(["STRLEN", key])) as number) > 20;
    });
    return key!;
  }

  test("what one has answered the other repeats, for as long as an answer may be repeated", async () => {
    row += 1;
    const key = await shared(a, row);
    const [runs, hits] = [rig.runs(), await b.metric(lookups("hit"))];
    assert.deepEqual(await b.ask(row), await a.ask(row));
    assert.equal(rig.runs(), runs);
    assert.equal(await b.metric(lookups("hit")), hits + 1);
    const ttlMs = (await raw.send(["PTTL", key])) as number;
    assert.ok(ttlMs > 0 && ttlMs <= 60_000, `${ttlMs}`);
    // From now on out of its own memory.
    await b.ask(row);
    assert.equal(await b.metric(lookups("hit")), hits + 1);
  });

  test("never what another file has answered, nor what another tenant has asked", async () => {
    row += 1;
    await shared(a, row);
    const runs = rig.runs();
    await b.ask(row, { "x-tenant": "somebody" });
    assert.equal(rig.runs(), runs + 1);
    const other = await rig.serve(`redis://127.0.0.1:${redis.port}/0`, { tag: 2 });
    assert.deepEqual(await other.ask(row), [2]);
    assert.deepEqual(await a.ask(row), [1]);
    await other.stop();
  });

  test("of equal requests on both at once, one runs", async () => {
    row += 1;
    const found = async (): Promise<number> => {
      const samples = [a, b].flatMap((server) => ["hit", "waited"].map((of) => server.metric(lookups(of))));
      return (await Promise.all(samples)).reduce((sum, count) => sum + count);
    };
    const before = { runs: rig.runs(), found: await found() };
    await Promise.all([a, b, a, b, b].map((server) => server.ask(row)));
    assert.equal(rig.runs(), before.runs + 1);
    assert.equal(await found(), before.found + 1);
  });

  test("a server that died while it ran costs the others a lease, and no request", async () => {
    row += 1;
    const key = await shared(a, row);
    await raw.send([
      "SET",
      key,
      Buffer.concat([Buffer.from([0x53, 1, 2, 0]), Buffer.alloc(16, 9)]),
      "PX",
      "300",
    ]);
    const runs = rig.runs();
    assert.deepEqual(await b.ask(row), [1]);
    assert.equal(rig.runs(), runs + 1);
    // One that forgot to say for how long.
    row += 1;
    const other = await shared(a, row);
    await raw.send(["SET", other, Buffer.concat([Buffer.from([0x53, 1, 2, 0]), Buffer.alloc(16, 9)])]);
    assert.deepEqual(await b.ask(row), [1]);
    assert.equal(rig.runs(), runs + 3);
  });

  test("what is broken, foreign or forged in the store is nothing", async () => {
    const first = await shared(a, ++row);
    const foreign = (await raw.send(["GET", first])) as Buffer;
    const put = (key: string, value: Buffer) => raw.send(["SET", key, value, "PX", "60000"]);
    const wrongs: readonly ((value: Buffer) => Buffer)[] = [
      (value) => value.subarray(0, value.length - 1),
      (value) => Buffer.concat([value, Buffer.from([0])]),
      (value) => value.map((byte, i) => (i === value.length - 1 ? byte ^ 1 : byte)) as Buffer,
      (value) => value.map((byte, i) => (i === 45 ? byte ^ 4 : byte)) as Buffer,
      (value) => value.subarray(0, 20),
      () => foreign,
      () => Buffer.from("hello"),
      () => Buffer.alloc(2 * 1024 * 1024, 0x53),
    ];
    for (const [i, wrong] of wrongs.entries()) {
      row += 1;
      const key = await shared(a, row);
      await put(key, Buffer.from(wrong((await raw.send(["GET", key])) as Buffer)));
      const [runs, corrupt] = [rig.runs(), await b.metric(lookups("corrupt"))];
      assert.deepEqual(await b.ask(row), [1], `${i}`);
      assert.equal(rig.runs(), runs + 1, `${i}`);
      assert.equal(await b.metric(lookups("corrupt")), corrupt + 1, `${i}`);
    }
    // No text at all.
    const key = await shared(a, ++row);
    await raw.send(["DEL", key]);
    await raw.send(["LPUSH", key, "x"]);
    assert.deepEqual(await b.ask(row), [1]);
  });
});
