import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Clock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import { until } from "../base/until.kit.ts";
import { MemoryStore, silentAfter } from "./memory-store.kit.ts";
import { Mirror } from "./mirror.ts";
import { parseStoreAddress } from "./store-address.ts";
import { StoreCache } from "./store-cache.ts";

const NEVER = new AbortController().signal;
/** Nothing else keeps the process of a test alive. */
const HOLDING_CLOCK: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

interface Rig {
  readonly store: MemoryStore;
  readonly folder: string;
  readonly warnings: string[];
  open(options?: {
    readonly address?: string;
    readonly maxBytes?: number;
    readonly idleMs?: number;
  }): Promise<Mirror>;
}

function rig(t: TestContext): Rig {
  const folder = mkdtempSync(join(tmpdir(), "sconce-mirror-"));
  const store = new MemoryStore();
  const warnings: string[] = [];
  const open: Mirror[] = [];
  t.after(() => {
    for (const mirror of open) mirror.close();
    rmSync(folder, { recursive: true });
  });
  return {
    store,
    folder,
    warnings,
    async open({ address = "s3://bucket/models", maxBytes = 1 << 20, idleMs = 60_000 } = {}) {
      const mirror = await Mirror.open({
        address: parseStoreAddress(address),
        store,
        cache: new StoreCache({ folder, maxBytes }),
        clock: HOLDING_CLOCK,
        wallNowMs: () => 1,
        random: () => 0,
        logger: { ...silentLogger, warn: (_fields, message) => warnings.push(message) },
        idleMs,
        onBytes() {},
      });
      open.push(mirror);
      return mirror;
    },
  };
}

/** What a folder holds, by path. */
function treeOf(root: string, below = ""): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(join(root, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) Object.assign(files, treeOf(root, path));
    else files[path] = entry.isSymbolicLink() ? "a link" : readFileSync(join(root, path), "utf8");
  }
  return files;
}

test("a mirror follows its store: new, changed and removed files, of which only those that changed are read", async (t) => {
  const { store, open } = rig(t);
  store.put("a/1/model.onnx", "one");
  store.put("a/model.yaml", "x: 1");
  store.put("b.pt2", "");
  const mirror = await open();
  assert.equal(mirror.readAtMs, undefined);
  assert.deepEqual(await mirror.sync(NEVER), { files: 3, removed: 0 });
  assert.deepEqual(treeOf(mirror.path), { "a/1/model.onnx": "one", "a/model.yaml": "x: 1", "b.pt2": "" });
  assert.equal(await mirror.sync(NEVER), undefined);
  store.reads.length = 0;
  store.put("a/1/model.onnx", "uno");
  store.put("a/2/model.onnx", "two");
  assert.deepEqual(await mirror.sync(NEVER), { files: 2, removed: 0 });
  assert.deepEqual(store.reads.map(({ key }) => key).sort(), ["a/1/model.onnx", "a/2/model.onnx"]);
  store.objects.delete("a/1/model.onnx");
  assert.equal(await mirror.sync(NEVER), undefined, "one look is not believed");
  assert.deepEqual(await mirror.sync(NEVER), { files: 0, removed: 1 });
  assert.deepEqual(treeOf(mirror.path), { "a/2/model.onnx": "two", "a/model.yaml": "x: 1", "b.pt2": "" });
  assert.equal(existsSync(join(mirror.path, "a/1")), false);
});

test("a file may become a folder, and a folder a file", async (t) => {
  const { store, open } = rig(t);
  store.put("a", "file");
  store.put("b/c", "in a folder");
  const mirror = await open();
  await mirror.sync(NEVER);
  store.objects.clear();
  store.put("a/x", "in a folder");
  store.put("b", "file");
  await mirror.sync(NEVER);
  await mirror.sync(NEVER);
  assert.deepEqual(treeOf(mirror.path), { "a/x": "in a folder", b: "file" });
});

test("a store that suddenly holds nothing, cannot be listed or lists too much changes nothing", async (t) => {
  const { store, open } = rig(t);
  store.put("a", "kept");
  const mirror = await open();
  await mirror.sync(NEVER);
  store.objects.clear();
  await assert.rejects(mirror.sync(NEVER), /nothing under this address/);
  await assert.rejects(mirror.sync(NEVER), /nothing under this address/);
  store.onList = () => {
    throw Object.assign(new Error("no"), { code: "ECONNREFUSED" });
  };
  await assert.rejects(mirror.sync(NEVER), { code: "ECONNREFUSED" });
  store.onList = () => {};
  for (let i = 0; i <= 10_000; i += 1) store.objects.set(`f${i}`, Buffer.alloc(0));
  await assert.rejects(mirror.sync(NEVER), /more than 10000 files/);
  assert.deepEqual(treeOf(mirror.path), { a: "kept" });
});

test("a store that never answers is given up", async (t) => {
  const { store, open } = rig(t);
  store.list = () => new Promise(() => {});
  const mirror = await open({ idleMs: 20 });
  await assert.rejects(mirror.sync(NEVER), /did not answer in time/);
});

test("a content that stops, comes short or too long, or breaks every time is not taken; what came is kept for the next time", async (t) => {
  const { store, open } = rig(t);
  store.put("a", "0123456789");
  const mirror = await open();
  store.onRead = (_object, _offset, content) => [content.subarray(0, 2)];
  await assert.rejects(mirror.sync(NEVER), /ended after 8 of 10 bytes/);
  assert.deepEqual(
    store.reads.map(({ offset }) => offset),
    [0, 2, 4, 6],
  );
  assert.deepEqual(treeOf(mirror.path), {});
  store.onRead = (_object, _offset, content) => [content, Buffer.from("more")];
  await assert.rejects(mirror.sync(NEVER), /sends more than the 10 bytes/);
  store.onRead = (_object, _offset, content) => [content];
  store.reads.length = 0;
  await mirror.sync(NEVER);
  assert.deepEqual(store.reads, [{ key: "a", offset: 0 }], "what was too long is thrown away");
  assert.deepEqual(treeOf(mirror.path), { a: "0123456789" });
});

test("a content that is silent is given up, and read on", async (t) => {
  const { store, open } = rig(t);
  store.put("a", "0123456789");
  let isSilent = true;
  store.onRead = (_object, _offset, content) => {
    if (!isSilent) return [content];
    isSilent = false;
    return silentAfter(content.subarray(0, 5));
  };
  const mirror = await open({ idleMs: 50 });
  await mirror.sync(NEVER);
  assert.deepEqual(
    store.reads.map(({ offset }) => offset),
    [0, 5],
  );
  assert.deepEqual(treeOf(mirror.path), { a: "0123456789" });
});

test("an object that is replaced while it is read is read again, as it is then", async (t) => {
  const { store, open } = rig(t);
  store.put("a", "old content");
  const mirror = await open();
  store.onRead = (_object, _offset, content) => {
    store.put("a", "new content");
    return [content.subarray(0, 3)];
  };
  await assert.rejects(mirror.sync(NEVER), /replaced while it was read/);
  store.onRead = (_object, _offset, content) => [content];
  await mirror.sync(NEVER);
  assert.deepEqual(treeOf(mirror.path), { a: "new content" });
});

test("of an object that changes while it is read, again and again, only the last beginning is kept", async (t) => {
  const { store, folder, open } = rig(t);
  store.put("a", "content 0");
  const mirror = await open();
  let i = 0;
  store.onRead = (_object, _offset, content) => {
    i += 1;
    store.put("a", `content ${i}`);
    return [content.subarray(0, 3)];
  };
  for (let look = 0; look < 3; look += 1) await assert.rejects(mirror.sync(NEVER), /a: it was replaced/);
  assert.equal(readdirSync(join(folder, readdirSync(folder)[0]!, "parts")).length, 1);
});

test("after a restart a download goes on where it was, and a copy is as it was", async (t) => {
  const { store, folder, open } = rig(t);
  store.put("a", "0123456789");
  const first = await open();
  const stop = new AbortController();
  store.onRead = (_object, _offset, content) => silentAfter(content.subarray(0, 6));
  const stopped = assert.rejects(first.sync(stop.signal));
  const parts = join(folder, readdirSync(folder)[0]!, "parts");
  await until("6 bytes are there", () => Object.values(treeOf(parts))[0]?.length === 6);
  stop.abort();
  await stopped;
  first.close();
  store.onRead = (_object, _offset, content) => [content];
  const second = await open();
  assert.equal(second.readAtMs, undefined);
  await second.sync(NEVER);
  assert.deepEqual(
    store.reads.map(({ offset }) => offset),
    [0, 6],
  );
  assert.deepEqual(treeOf(second.path), { a: "0123456789" });
  second.close();
  store.lists = 0;
  const third = await open();
  assert.equal(third.readAtMs, 1);
  assert.deepEqual(treeOf(third.path), { a: "0123456789" });
  assert.equal(store.lists, 0);
});

test("a server that was killed between the record and its files does the rest at its start", async (t) => {
  const { store, folder, open } = rig(t);
  store.put("a", "old");
  store.put("b", "old");
  const first = await open();
  await first.sync(NEVER);
  const copy = join(folder, readdirSync(folder)[0]!);
  const record = join(copy, "mirror.json");
  const before = readFileSync(record);
  store.put("a", "new!");
  store.objects.delete("b");
  await first.sync(NEVER);
  await first.sync(NEVER);
  first.close();
  // As it is right after the record was written: the new file lies beside, the old ones are in place.
  const { key, byteLength, stamp } = JSON.parse(readFileSync(record, "utf8")).objects[0];
  const part = createHash("sha256")
    .update(JSON.stringify([key, byteLength, stamp]))
    .digest("hex");
  writeFileSync(join(copy, "parts", part), "new!", { mode: 0o600 });
  writeFileSync(join(first.path, "a"), "old");
  writeFileSync(join(first.path, "b"), "old");
  const second = await open();
  assert.deepEqual(treeOf(second.path), { a: "new!" });
  second.close();
  // Before it was written, the old state counts.
  writeFileSync(record, before);
  writeFileSync(join(first.path, "b"), "old");
  assert.deepEqual(treeOf((await open()).path), { a: "new!", b: "old" });
});

test("a copy that was damaged here is downloaded again", async (t) => {
  const { store, open } = rig(t);
  store.put("a", "whole");
  const mirror = await open();
  await mirror.sync(NEVER);
  writeFileSync(join(mirror.path, "a"), "cut");
  await mirror.sync(NEVER);
  assert.deepEqual(treeOf(mirror.path), { a: "whole" });
});

test("a cache that somebody removed is made again", async (t) => {
  const { store, folder, open } = rig(t);
  store.put("a", "content");
  const mirror = await open();
  await mirror.sync(NEVER);
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  assert.deepEqual(await mirror.sync(NEVER), { files: 1, removed: 0 });
  assert.deepEqual(treeOf(mirror.path), { a: "content" });
});

test("names that leave the folder are left out and named, once", async (t) => {
  const { store, folder, warnings, open } = rig(t);
  for (const key of [
    "../../escaped",
    "/escaped",
    "a/../../escaped",
    "c\nd",
    "good/model.onnx",
    "x",
    "x/y",
    "",
    "dir/",
  ])
    store.put(key, "content");
  const mirror = await open();
  await mirror.sync(NEVER);
  await mirror.sync(NEVER);
  assert.deepEqual(treeOf(mirror.path), { "good/model.onnx": "content", x: "content" });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /^files whose names cannot be used here are left out: /);
  assert.doesNotMatch(warnings[0]!, /\n/);
  const files = Object.keys(treeOf(folder)).filter((path) => path.includes("escaped"));
  assert.deepEqual(files, []);
});

test("a link that somebody put into the copy leads nothing out of it", async (t) => {
  const { store, folder, open } = rig(t);
  store.put("a/model.onnx", "content");
  const mirror = await open();
  const outside = join(folder, "outside");
  mkdirSync(outside);
  symlinkSync(outside, join(mirror.path, "a"));
  await mirror.sync(NEVER);
  assert.deepEqual(treeOf(mirror.path), { "a/model.onnx": "content" });
  assert.deepEqual(readdirSync(outside), []);
});

test("what does not fit into the cache is refused before it is read", async (t) => {
  const { store, open } = rig(t);
  store.put("a", "0".repeat(600));
  const mirror = await open({ maxBytes: 2000 });
  await mirror.sync(NEVER);
  store.put("b", "0".repeat(2000));
  store.reads.length = 0;
  await assert.rejects(mirror.sync(NEVER), /more than the 2000 of --store-cache-size/);
  assert.deepEqual(store.reads, []);
  assert.deepEqual(Object.keys(treeOf(mirror.path)), ["a"]);
});

test("copies that nobody uses make room, the least recently used first; those in use never", async (t) => {
  const { store, folder, open } = rig(t);
  store.put("a", "0".repeat(1000));
  const mirrors: Mirror[] = [];
  for (const name of ["one", "two", "three"]) {
    const mirror = await open({ address: `s3://bucket/${name}`, maxBytes: 1 << 20 });
    await mirror.sync(NEVER);
    mirrors.push(mirror);
  }
  const [one, two, three] = mirrors as [Mirror, Mirror, Mirror];
  two.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  one.close();
  const isThere = (mirror: Mirror): boolean => existsSync(join(mirror.path, "a"));
  const used = Object.values(treeOf(folder)).reduce((sum, text) => sum + text.length, 0);
  const four = await open({ address: "s3://bucket/four", maxBytes: used });
  await four.sync(NEVER);
  assert.deepEqual([one, two, three, four].map(isThere), [true, false, true, true]);
  const five = await open({ address: "s3://bucket/five", maxBytes: 2500 });
  await assert.rejects(five.sync(NEVER), /more than the 2500/);
  assert.deepEqual([one, three, four].map(isThere), [false, true, true]);
});

test("two servers that read one address have a copy each", async (t) => {
  const { store, open } = rig(t);
  store.put("a", "content");
  const [one, two] = [await open(), await open()];
  await Promise.all([one.sync(NEVER), two.sync(NEVER)]);
  assert.notEqual(one.path, two.path);
  assert.deepEqual(treeOf(two.path), { a: "content" });
  one.close();
  const three = await open();
  assert.equal(three.path, one.path, "a copy that is free is taken again");
  assert.equal(three.readAtMs, 1);
});

test("a copy of a process that died is taken over", async (t) => {
  const { store, folder, open } = rig(t);
  store.put("a", "content");
  const one = await open();
  await one.sync(NEVER);
  one.close();
  const copy = join(folder, readdirSync(folder)[0]!);
  writeFileSync(join(copy, "lease"), `${process.pid} 1 another-boot`);
  const two = await open();
  assert.equal(two.path, one.path, "the number of a process that is another by now");
  two.close();
  writeFileSync(join(copy, "lease"), "999999999 1 boot");
  assert.equal((await open()).path, one.path);
});

test("a digest that is not the expected one is never put in place, and not downloaded twice", async (t) => {
  const { store, open } = rig(t);
  store.put("model.pt2", "right");
  const sha256 = createHash("sha256").update("right").digest("hex");
  const address = `https://host/model.pt2#sha256=${sha256}`;
  const mirror = await open({ address });
  await mirror.sync(NEVER);
  store.put("model.pt2", "wrong");
  store.reads.length = 0;
  const mismatch = { reason: "digest_mismatch", message: /model.pt2 has the SHA-256 [0-9a-f]{64}, and/ };
  await assert.rejects(mirror.sync(NEVER), mismatch);
  await assert.rejects(mirror.sync(NEVER), mismatch);
  assert.equal(store.reads.length, 1);
  assert.deepEqual(treeOf(mirror.path), { "model.pt2": "right" });
  mirror.close();
  const other = await open({ address: `https://host/model.pt2#sha256=${"0".repeat(64)}` });
  assert.equal(other.path, mirror.path);
  assert.equal(other.readAtMs, undefined, "a copy of another digest is none");
});

test("a folder that others may write is not used", { skip: process.platform === "win32" }, async (t) => {
  const { store, folder, open } = rig(t);
  store.put("a", "content");
  const mirror = await open();
  mirror.close();
  chmodSync(join(folder, readdirSync(folder)[0]!), 0o777);
  await assert.rejects(open(), /can be written by other users: chmod 700 it/);
});
