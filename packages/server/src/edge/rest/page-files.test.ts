import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { RestCall } from "./call/rest-call.ts";
import type { ResponseContent } from "./call/send-response.ts";
import { createPageFileSender } from "./page-files.ts";

const RENDERER = new URL("../../../pages/docs/renderer.js.gz", import.meta.url);
const PAGE = new URL("../../../pages/docs/index.html", import.meta.url);

test("however often a page's file is asked for, packed or not, its bytes are in memory once", async () => {
  const sender = createPageFileSender();
  const get = async (file: URL, encoding?: string): Promise<ResponseContent> => {
    const sent: ResponseContent[] = [];
    const headers = encoding === undefined ? {} : { "accept-encoding": encoding };
    const call = { request: { headers }, sendKept: (content: ResponseContent) => sent.push(content) };
    await sender.send(call as unknown as RestCall, file); // what the sender uses of it
    return sent[0]!;
  };
  for (const file of [RENDERER, PAGE]) {
    // Asked for at the same time, before anybody has it.
    const [plain, same, packed] = await Promise.all([get(file), get(file), get(file, "gzip")]);
    assert.equal(same.body, plain.body);
    assert.deepEqual(gunzipSync(packed.body as Buffer), plain.body);
    assert.ok(packed.headers.includes("gzip") && !plain.headers.includes("gzip"));
    assert.equal((await get(file)).body, plain.body);
    assert.equal((await get(file, "deflate")).body, plain.body);
    assert.equal((await get(file, "br, gzip;q=0.5")).body, packed.body);
  }
  await assert.rejects(get(new URL("nothing.js", PAGE)), { code: "ENOENT" });
});
