// Tests the page at `/` in Chromium.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { programOrReason } from "../program.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { barriers, launchBrowser, openPage, PHONE, widths } from "./browser.kit.ts";

const chromium = programOrReason("chromium");

describe("the page at /", { skip: chromium.skip }, () => {
  let server: ServerProcess;
  let browser: Browser;
  before(async () => {
    [server, browser] = await Promise.all([
      startServerProcess([MODELS_FOLDER]),
      launchBrowser(chromium.path!),
    ]);
  });
  after(() => Promise.all([browser?.close(), server?.stop()]));

  test("shows the models without an error, and asks nobody else for anything", async () => {
    const { page, context, complaints, requests } = await openPage(browser);
    await page.goto(server.url);
    await page.getByRole("heading", { name: "digits" }).waitFor();
    assert.match((await page.locator("body").textContent()) ?? "", /image: FP32 \[-1, 1, 8, 8\]/);
    assert.deepEqual(complaints, []);
    for (const url of requests) assert.ok(url.startsWith(server.url), url);
    assert.deepEqual(await barriers(page), []);
    await context.close();
  });

  test("runs no script, whoever put it there", async () => {
    const { page, context, complaints } = await openPage(browser);
    await page.goto(server.url);
    await page.evaluate(`
      const script = document.createElement("script");
      script.textContent = "document.title = 'changed'";
      document.body.append(script);
    `);
    assert.equal(await page.title(), "sconce");
    assert.match(complaints.join("\n"), /Content Security Policy/);
    await context.close();
  });

  test("fits a phone", async () => {
    const { page, context } = await openPage(browser, PHONE);
    await page.goto(server.url);
    assert.deepEqual(await widths(page), { window: 320, page: 320 });
    await context.close();
  });
});
