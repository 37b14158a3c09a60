// Tests @sconce/client in Chromium, bundled by Vite as sites bundle it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import type * as client from "@sconce/client";
import type { Browser } from "playwright-core";
import { argmax, expectedDigits, MODELS_FOLDER, nestedImage } from "../expected-digits.ts";
import { programOrReason } from "../program.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { launchBrowser, openPage, type WatchedPage } from "./browser.kit.ts";
import { type Bundle, bundle } from "./bundle.kit.ts";
import { type Site, serveSite } from "./site.kit.ts";

/** What the page has of it. */
declare const sconce: typeof client;

const chromium = programOrReason("chromium");
const [digit] = expectedDigits().digits;
const rows = nestedImage(digit!);
const MOST_BYTES = 16 * 1024;

describe("@sconce/client in a page", { skip: chromium.skip }, () => {
  let server: ServerProcess;
  let browser: Browser;
  let site: Site;
  let bundled: Bundle;
  let opened: WatchedPage;
  before(async () => {
    bundled = await bundle('import * as sconce from "@sconce/client"; globalThis.sconce = sconce;');
    site = await serveSite({ "/client.js": bundled.code });
    [server, browser] = await Promise.all([
      startServerProcess([MODELS_FOLDER, "--cors-origins", site.origin]),
      launchBrowser(chromium.path!),
    ]);
    opened = await openPage(browser);
    await opened.page.goto(site.origin);
    await opened.page.addScriptTag({ url: "/client.js", type: "module" });
  });
  after(async () => {
    await browser?.close();
    await Promise.all([server?.stop(), site?.close()]);
  });

  test("is small, and has nothing of Node in it", (t) => {
    const foreign = bundled.modules.filter(
      (path) => !/\/(?:packages|@sconce)\/(?:client|protocol)\/dist\//.test(path),
    );
    assert.deepEqual(foreign, []);
    const bytes = gzipSync(bundled.code).length;
    t.diagnostic(`${bundled.code.length} bytes minified, ${bytes} with gzip`);
    assert.ok(bytes <= MOST_BYTES, `${bytes} bytes`);
  });

  test("infers from typed arrays and from nested lists, and predicts", async () => {
    const { page, complaints } = opened;
    const answers = await page.evaluate(
      async ({ url, image, pixels }) => {
        const sender = sconce.createClient(url);
        const typed = sconce.tensor("FP32", [1, 1, 8, 8], Float32Array.from(pixels));
        const scores: number[][] = [];
        for (const input of [typed, [image]]) {
          const { outputs, serverMs, requestId } = await sender.infer("digits", { image: input });
          if (!((serverMs["compute"] ?? 0) > 0) || requestId === undefined)
            throw new Error("headers are not read");
          scores.push([...(outputs["probabilities"]!.data as Float32Array)]);
        }
        scores.push(((await sender.predict("digits", [image])) as number[][])[0]!);
        return { scores, isReady: await sender.isReady() };
      },
      { url: server.url, image: rows, pixels: [...digit!.image] },
    );
    assert.ok(answers.isReady);
    assert.equal(answers.scores.length, 3);
    for (const scores of answers.scores) {
      assert.equal(argmax(scores), argmax(digit!.probabilities));
      for (const [k, expected] of digit!.probabilities.entries())
        assert.ok(Math.abs(scores[k]! - expected) <= 1e-5);
    }
    assert.deepEqual(complaints, []);
  });

  test("fails in the words of the server's table of errors", async () => {
    const error = await opened.page.evaluate(async (url) => {
      const failed = sconce.createClient(url).predict("nobody", [1]);
      return await failed.then(
        () => undefined,
        (thrown: client.ClientError) => ({
          isOurs: thrown instanceof sconce.ClientError,
          code: thrown.code,
          reason: thrown.reason,
          status: thrown.status,
        }),
      );
    }, server.url);
    assert.deepEqual(error, { isOurs: true, code: "not_found", reason: "model_not_found", status: 404 });
  });

  test("an aborted call throws its reason, before and while it is sent", async () => {
    const { page } = opened;
    const sent = page.waitForRequest(/\/predict\/late$/);
    const outcome = page.evaluate(async (url) => {
      const sender = sconce.createClient(url);
      const aborting = new AbortController();
      (globalThis as { abort?: () => void }).abort = () => aborting.abort(new Error("not wanted any more"));
      const words = (thrown: Error): string => thrown.message;
      const never = sender.predict("digits", [1], { signal: AbortSignal.abort(new Error("not at all")) });
      const late = sender.predict("late", [1], { signal: aborting.signal });
      return [await never.then(String, words), await late.then(String, words)];
    }, `${site.origin}/silent`);
    await sent;
    await page.evaluate("abort()");
    assert.deepEqual(await outcome, ["not at all", "not wanted any more"]);
  });

  test("asks every server of several, and another one when one cannot be reached", async () => {
    const { page, requests } = opened;
    const before = requests.length;
    const other = server.url.replace("127.0.0.1", "localhost");
    const labels = await page.evaluate(
      async ({ urls, image }) => {
        const sender = sconce.createClient(urls);
        const calls = Array.from({ length: 12 }, () => sender.predict("digits", [image]));
        return (await Promise.all(calls)).map((scores) => (scores as number[][])[0]!);
      },
      { urls: ["http://127.0.0.1:1", server.url, other], image: rows },
    );
    for (const scores of labels) assert.equal(argmax(scores), argmax(digit!.probabilities));
    const asked = new Set(requests.slice(before).map((url) => new URL(url).origin));
    assert.ok(asked.has(server.url) && asked.has(other), [...asked].join(" "));
  });

  test("streams: responses in the order of what was sent, until its reader leaves", async () => {
    const { page, complaints } = opened;
    const before = complaints.length;
    const images = expectedDigits().digits.slice(0, 50);
    const streamed = await page.evaluate(
      async ({ url, all }) => {
        const sender = sconce.createClient(url);
        const sent = { count: 0 };
        async function* inputs() {
          for (const pixels of all) {
            sent.count += 1;
            yield { image: sconce.tensor("FP32", [1, 1, 8, 8], Float32Array.from(pixels)) };
          }
        }
        const scores: number[][] = [];
        for await (const { outputs } of sender.stream("digits", inputs()))
          scores.push([...(outputs["probabilities"]!.data as Float32Array)]);
        sent.count = 0;
        for await (const _ of sender.stream("digits", inputs())) break;
        return { scores, sent: sent.count };
      },
      { url: server.url, all: images.map(({ image }) => [...image]) },
    );
    assert.equal(streamed.scores.length, images.length);
    for (const [i, scores] of streamed.scores.entries())
      assert.ok(Math.abs(scores[i % 10]! - images[i]!.probabilities[i % 10]!) <= 1e-5, `response ${i}`);
    assert.ok(streamed.sent < images.length, "not all was sent to a reader who left");
    assert.deepEqual(complaints.slice(before), []);
  });

  test("a stream ends with what went wrong: a request, its sender, an abort, no server", async () => {
    const ends = await opened.page.evaluate(async (url) => {
      const image = sconce.tensor("FP32", [1, 1, 8, 8], new Float32Array(64));
      async function* failing() {
        yield { image };
        throw new Error("no more pictures");
      }
      async function* endless() {
        for (;;) yield { image };
      }
      const wrong = [{ image }, { image: sconce.tensor("FP32", [1, 2], new Float32Array(2)) }];
      const seen: string[] = [];
      const read = async (
        of: ReturnType<client.Client["stream"]>,
        onEach = (): void => {},
      ): Promise<void> => {
        let count = 0;
        try {
          for await (const _ of of) {
            count += 1;
            onEach();
          }
        } catch (thrown) {
          const { code = "", message } = thrown as client.ClientError;
          seen.push(`${Math.min(count, 1)} ${code} ${message}`);
        }
      };
      const sender = sconce.createClient(url);
      await read(sender.stream("digits", wrong));
      await read(sender.stream("digits", failing()));
      const aborting = new AbortController();
      const { signal } = aborting;
      await read(sender.stream("digits", endless(), { signal }), () => aborting.abort(new Error("enough")));
      await read(sender.stream("digits", endless()), () => sender.close());
      await read(sconce.createClient("http://127.0.0.1:1").stream("digits", wrong));
      return seen;
    }, server.url);
    assert.match(ends[0]!, /^1 invalid_argument input "image": shape has 2 dimensions/);
    assert.match(ends[1]!, /^[01] {2}no more pictures$/);
    assert.deepEqual(ends.slice(2, 4), ["1  enough", "1  the client was closed"]);
    assert.match(ends[4]!, /^0 unavailable http:\/\/127\.0\.0\.1:1 could not be reached/);
    assert.equal(ends.length, 5);
  });
});
