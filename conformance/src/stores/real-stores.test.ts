// Tests the readers of stores against servers of S3 and Google Cloud Storage: one suite for both.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  Mirror,
  openStore,
  parseStoreAddress,
  type Store,
  StoreCache,
  silentLogger,
  storeError,
  systemClock,
} from "../internals/stores.ts";
import { startServerProcess } from "../server-process.ts";
import { until } from "../until.kit.ts";
import { multiplier } from "./file-server.kit.ts";
import { type PythonStores, SECRET_CANARY, startPythonStores } from "./python-stores.kit.ts";

const NEVER = new AbortController().signal;
const OPTIONS = { ca: undefined, idleMs: 30_000 };
const BUCKET = "models";

interface Kind {
  readonly scheme: "s3" | "gs";
  readonly put: (key: string, content: string) => Promise<void>;
}

const textOf = async (bytes: AsyncIterable<Buffer>): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

async function open(t: TestContext, address: string): Promise<Store> {
  const store = await openStore(parseStoreAddress(address), OPTIONS);
  t.after(() => store.close());
  return store;
}

async function checkStore(t: TestContext, { scheme, put }: Kind): Promise<void> {
  await put("prod/digits/1/model.pt2", "0123456789");
  await put("prod/digits/a name, with+odd%25 letters é.txt", "odd");
  await put("prod-of-others/model.pt2", "not ours");
  const root = `${scheme}://${BUCKET}`;

  await t.test(`${scheme}: below a prefix lies what lies below it, and nothing beside it`, async (t) => {
    const objects = await (await open(t, `${root}/prod`)).list(10, NEVER);
    assert.deepEqual(objects.map(({ key, byteLength }) => [key, byteLength]).sort(), [
      ["digits/1/model.pt2", 10],
      ["digits/a name, with+odd%25 letters é.txt", 3],
    ]);
    const whole = await (await open(t, root)).list(10, NEVER);
    assert.equal(whole.length, 3);
    assert.equal((await (await open(t, root)).list(2, NEVER)).length, 2);
  });

  await t.test(`${scheme}: a content is read whole, and read on`, async (t) => {
    const store = await open(t, `${root}/prod`);
    for (const object of await store.list(10, NEVER)) {
      const { offset, bytes } = await store.read(object, { offset: 0, signal: NEVER });
      assert.deepEqual([offset, (await textOf(bytes)).length], [0, object.byteLength === 10 ? 10 : 3]);
    }
    const [object] = await (await open(t, `${root}/prod/digits/1`)).list(1, NEVER);
    const rest = await (await open(t, `${root}/prod/digits/1`)).read(object!, { offset: 4, signal: NEVER });
    assert.deepEqual([rest.offset, await textOf(rest.bytes)], [4, "456789"]);
  });

  await t.test(`${scheme}: an address may be one object`, async (t) => {
    const store = await open(t, `${root}/prod/digits/1/model.pt2`);
    const [object] = await store.list(10, NEVER);
    assert.deepEqual([object?.key, object?.byteLength], ["model.pt2", 10]);
    const { bytes } = await store.read(object!, { offset: 0, signal: NEVER });
    assert.equal(await textOf(bytes), "0123456789");
  });

  await t.test(`${scheme}: what is replaced while it is read is not taken for what was listed`, async (t) => {
    await put("changing/model.pt2", "old content");
    const store = await open(t, `${root}/changing`);
    const [before] = await store.list(1, NEVER);
    await put("changing/model.pt2", "new content");
    // The emulator of Google's knows no generations, and sends what is there.
    if (scheme === "s3")
      await assert.rejects(store.read(before!, { offset: 4, signal: NEVER }), (error) => {
        assert.match(storeError(error).message, /replaced while it was read/);
        return true;
      });
    const [after] = await store.list(1, NEVER);
    assert.notEqual(after?.stamp, before?.stamp);
  });

  await t.test(
    `${scheme}: an address that leads to nothing is empty, and a bucket that is not there is refused`,
    async (t) => {
      assert.deepEqual(await (await open(t, `${root}/nothing/here`)).list(10, NEVER), []);
      await assert.rejects((await open(t, `${scheme}://no-such-bucket`)).list(10, NEVER), (error) => {
        assert.match(storeError(error).message, /it answers 404/);
        return true;
      });
    },
  );

  await t.test(`${scheme}: a mirror is what lies there`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-store-"));
    const address = parseStoreAddress(`${root}/prod`);
    const mirror = await Mirror.open({
      address,
      store: await openStore(address, OPTIONS),
      cache: new StoreCache({ folder, maxBytes: 1 << 20 }),
      clock: systemClock,
      wallNowMs: Date.now,
      random: Math.random,
      logger: silentLogger,
      idleMs: 30_000,
      onBytes() {},
    });
    t.after(() => {
      mirror.close();
      rmSync(folder, { recursive: true });
    });
    const looks = () => mirror.sync(NEVER);
    assert.deepEqual(await looks(), { files: 2, removed: 0 });
    assert.equal(readFileSync(join(mirror.path, "digits/1/model.pt2"), "utf8"), "0123456789");
    assert.equal(await looks(), undefined);
    await put("prod/digits/1/model.pt2", "9876543210");
    assert.deepEqual(await looks(), { files: 1, removed: 0 });
    assert.equal(readFileSync(join(mirror.path, "digits/1/model.pt2"), "utf8"), "9876543210");
  });

  await t.test(`${scheme}: more objects than one page holds are listed all`, async (t) => {
    const store = await openStore(parseStoreAddress(root), { ...OPTIONS, pageObjects: 2 });
    t.after(() => store.close());
    for (let i = 0; i < 5; i += 1) await put(`many/${i}`, "x");
    const keys = (await store.list(100, NEVER))
      .map(({ key }) => key)
      .filter((key) => key.startsWith("many/"));
    assert.deepEqual(keys.sort(), ["many/0", "many/1", "many/2", "many/3", "many/4"]);
  });
}

async function checkServed(t: TestContext, stores: PythonStores): Promise<void> {
  await t.test("served from both: versions come by polling, and no credential shows", async (t) => {
    const cache = mkdtempSync(join(tmpdir(), "sconce-store-cache-"));
    await stores.putS3(BUCKET, "served/factor/1/model.onnx", multiplier(1));
    await stores.putGs(BUCKET, "one-model/model.onnx", multiplier(5));
    const server = await startServerProcess(
      [
        ...[`s3://${BUCKET}/served`, `five=gs://${BUCKET}/one-model`, "--store-cache", cache],
        ...["--model-control", "poll", "--poll-interval", "200ms", "--log-level", "debug"],
      ],
      { env: stores.env },
    );
    t.after(async () => {
      await server.stop("SIGKILL");
      rmSync(cache, { recursive: true });
    });
    const answerOf = async (model: string): Promise<unknown> => {
      const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] });
      const response = await fetch(`${server.url}/v2/models/${model}/infer`, { method: "POST", body });
      return ((await response.json()) as { readonly outputs: readonly { readonly data: unknown }[] })
        .outputs[0]?.data;
    };
    assert.deepEqual([await answerOf("factor"), await answerOf("five")], [[1], [5]]);
    await stores.putS3(BUCKET, "served/factor/2/model.onnx", multiplier(2));
    await stores.putGs(BUCKET, "one-model/model.onnx", multiplier(6));
    await until("version 2 answers", async () => String(await answerOf("factor")) === "2");
    await until("the new object answers", async () => String(await answerOf("five")) === "6");
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /sconce_store_up\{store="s3:\/\/models\/served"\} 1/);
    assert.doesNotMatch(server.output() + metrics, new RegExp(SECRET_CANARY));
  });
}

test("stores of S3 and Google Cloud Storage", { timeout: 600_000 }, async (t) => {
  const stores = await startPythonStores();
  if ("skip" in stores) {
    t.skip(stores.skip);
    return;
  }
  t.after(() => stores.close());
  Object.assign(process.env, stores.env);
  await stores.makeBuckets(BUCKET);
  const put = (send: PythonStores["putS3"]) => (key: string, content: string) =>
    send(BUCKET, key, Buffer.from(content));
  await checkStore(t, { scheme: "s3", put: put(stores.putS3) });
  await checkStore(t, { scheme: "gs", put: put(stores.putGs) });
  await checkServed(t, stores);
});
