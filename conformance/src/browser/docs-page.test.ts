// Tests the page at `/docs` in Chromium.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { argmax, expectedDigits, MODELS_FOLDER, nestedImage } from "../expected-digits.ts";
import { makeKey } from "../internals/security.ts";
import { programOrReason } from "../program.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { barriers, launchBrowser, openPage, PHONE, widths } from "./browser.kit.ts";

const chromium = programOrReason("chromium");
const [digit] = expectedDigits().digits;

/** Sends the scan by the page's form for a prediction; the label that comes back. */
async function tryPrediction(page: Page): Promise<number> {
  const operation = page.locator(".opblock", { hasText: "/predict/digits" });
  await operation.getByRole("button").first().click();
  const input = JSON.stringify({ input: [nestedImage(digit!)] });
  await operation.locator("textarea.body-param__text").fill(input);
  await operation.getByRole("button", { name: "Execute" }).click();
  const live = operation.locator(".live-responses-table");
  await live.locator(".response-col_status", { hasText: "200" }).waitFor();
  const text = (await live.locator(".highlight-code").first().textContent()) ?? "";
  const { prediction } = JSON.parse(text.slice(text.indexOf("{"))) as { prediction: number[][] };
  return argmax(prediction[0]!);
}

describe("the page at /docs", { skip: chromium.skip }, () => {
  let server: ServerProcess;
  let browser: Browser;
  before(async () => {
    [server, browser] = await Promise.all([
      startServerProcess([MODELS_FOLDER]),
      launchBrowser(chromium.path!),
    ]);
  });
  after(() => Promise.all([browser?.close(), server?.stop()]));

  test("finds a model, sends what is typed, and shows the answer, without an error and without anybody else", async () => {
    const { page, context, complaints, requests } = await openPage(browser);
    await page.goto(server.url);
    await page.getByRole("link", { name: "/docs" }).click();
    await page.locator(".opblock").first().waitFor();
    assert.deepEqual(await barriers(page), []);
    assert.equal(await tryPrediction(page), argmax(digit!.probabilities));
    assert.deepEqual(await barriers(page), []);
    assert.deepEqual(complaints, []);
    for (const url of requests) assert.ok(url.startsWith(server.url) || url.startsWith("data:"), url);
    await context.close();
  });

  test("the example that it offers works as it stands", async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${server.url}/docs`);
    const operation = page.locator(".opblock", { hasText: "/v2/models/digits/infer" });
    await operation.getByRole("button").first().click();
    await operation.getByRole("button", { name: "Execute" }).click();
    await operation.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
    await context.close();
  });

  test("fits a phone", async () => {
    const { page, context } = await openPage(browser, PHONE);
    await page.goto(`${server.url}/docs`);
    await page.locator(".opblock").first().waitFor();
    assert.deepEqual(await widths(page), { window: 320, page: 320 });
    await context.close();
  });

  test("asks for a key where the server does, and sends it with everything", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-docs-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const { key, record } = makeKey({
      name: "reader",
      models: ["*"],
      scopes: ["infer"],
      created: new Date(0).toISOString(),
    });
    const keys = join(folder, "keys.json");
    writeFileSync(keys, JSON.stringify({ keys: [record] }), { mode: 0o600 });
    const guarded = await startServerProcess([MODELS_FOLDER, "--api-keys", keys]);
    t.after(() => guarded.stop());
    const { page, context, complaints } = await openPage(browser);
    await page.goto(`${guarded.url}/docs`);
    await page.getByText("this needs a key or token").waitFor();
    assert.deepEqual(await barriers(page), []);
    await page.getByLabel("API key or token").fill(key);
    await page.getByRole("button", { name: "Use" }).click();
    assert.equal(await tryPrediction(page), argmax(digit!.probabilities));
    assert.deepEqual(
      complaints.filter((complaint) => !/status of 401/.test(complaint)),
      [],
    );
    await context.close();
  });
});

test("the renderer of /docs is what its makers published", () => {
  const at = (name: string): URL => new URL(`../../../packages/server/pages/docs/${name}`, import.meta.url);
  const { sha256 } = JSON.parse(readFileSync(at("renderer.json"), "utf8")) as {
    readonly sha256: Readonly<Record<string, string>>;
  };
  for (const [name, expected] of Object.entries(sha256)) {
    const bytes = readFileSync(at(name));
    const plain = name.endsWith(".gz") ? gunzipSync(bytes) : bytes;
    assert.equal(createHash("sha256").update(plain).digest("hex"), expected, name);
  }
});
