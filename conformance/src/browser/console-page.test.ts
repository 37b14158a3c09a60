// Tests the page at `/console` in Chromium.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { Browser, Locator } from "playwright-core";
import sharp from "sharp";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "../expected-digits.ts";
import { writeTaskModels } from "../hostile/task-models.ts";
import { makeKey } from "../internals/security.ts";
import { programOrReason } from "../program.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { barriers, launchBrowser, openPage, PHONE, widths } from "./browser.kit.ts";
import { drawZero } from "./console.kit.ts";

const chromium = programOrReason("chromium");
const run = promisify(execFile);
const MAX_TRANSFER_BYTES = 150 * 1024;

const TOKEN = "the-administrators-token-of-this-test";
const CONTROLLED = ["--model-control", "explicit", "--load-models", "digits,images", "--admin-token", TOKEN];
/** Requests that come one by one wait for company in vain. */
const SLOW = ["--max-queue-delay", "60ms"];

describe("the page at /console", { skip: chromium.skip }, () => {
  let server: ServerProcess;
  let browser: Browser;
  const folder = mkdtempSync(join(tmpdir(), "sconce-console-"));
  before(async () => {
    writeTaskModels(folder);
    [server, browser] = await Promise.all([
      startServerProcess([MODELS_FOLDER, join(folder, "images"), ...CONTROLLED, ...SLOW]),
      launchBrowser(chromium.path!),
    ]);
  });
  /** Sends one request after the other until the page shows these. */
  const untilShown = async (...locators: readonly Locator[]): Promise<void> => {
    const body = JSON.stringify({ input: nestedImage(expectedDigits().digits[0]!) });
    const predict = async (): Promise<void> => {
      assert.equal((await fetch(`${server.url}/predict/digits`, { method: "POST", body })).status, 200);
    };
    const shown = Promise.all(locators.map((locator) => locator.waitFor())).then(() => true);
    while ((await Promise.race([shown, predict()])) !== true);
  };
  after(async () => {
    await Promise.all([browser?.close(), server?.stop()]);
    rmSync(folder, { recursive: true });
  });

  for (const colorScheme of ["light", "dark"] as const) {
    test(`a newcomer finds a model, sends what they drew, reads the answer and runs the curl line: ${colorScheme}`, async () => {
      const { page, context, complaints, requests } = await openPage(browser, { colorScheme });
      await page.goto(server.url);
      await page.getByRole("link", { name: "/console" }).click();
      await page.getByRole("heading", { name: "digits" }).waitFor();
      await drawZero(page);
      await page.getByRole("button", { name: "Send" }).click();
      const best = page.locator(".answer .bars tbody tr").first();
      await best.waitFor();
      assert.equal(await best.getByRole("rowheader").textContent(), "0");
      assert.match((await page.locator(".timing .legend").textContent()) ?? "", /queue.*ms.*compute.*ms/);
      const line = (await page.locator(".calls pre").textContent()) ?? "";
      assert.match(line, /^curl -s /);
      const { prediction } = JSON.parse((await run("sh", ["-c", line])).stdout) as {
        readonly prediction: readonly number[][];
      };
      const [scores] = prediction;
      assert.equal(scores?.indexOf(Math.max(...scores)), 0, "the line sends what was drawn");
      assert.deepEqual(await barriers(page), []);
      assert.deepEqual(complaints, []);
      for (const url of requests) assert.match(url, new RegExp(`^(${server.url}|data:)`));
      await context.close();
    });
  }

  test("the charts move under load", async () => {
    const { page, context, complaints } = await openPage(browser);
    await page.goto(`${server.url}/console#/live`);
    const throughput = page.getByRole("region", { name: "Throughput" });
    const latency = page.getByRole("img", { name: /^Latency in the server, now: p50 \d/ });
    await throughput.getByRole("img", { name: /now: answered 0,/ }).waitFor();
    await untilShown(throughput.getByRole("img", { name: /now: answered [1-9]/ }), latency);
    assert.ok((await page.locator(".chart .line").count()) > 0);
    assert.deepEqual(await barriers(page), []);
    await page.getByLabel("Model").selectOption("digits");
    await page.waitForURL(/#\/live\/digits$/);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("says why a model is slow, as sconce why does", async () => {
    const { page, context, complaints } = await openPage(browser);
    await page.goto(`${server.url}/console`);
    await page.getByRole("link", { name: "Why is it slow?" }).click();
    await page.getByText("No inference was answered since this page looks on").waitFor();
    const found = page.getByRole("heading", { name: "Requests wait for company that does not come" });
    await untilShown(found);
    const card = page.locator(".findings li", { has: found });
    assert.match((await card.textContent()) ?? "", /max_queue_delay: 0/);
    assert.match((await page.locator(".stages").textContent()) ?? "", /compute/);
    assert.deepEqual(await barriers(page), []);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("loads and unloads for the administrator", async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${server.url}/console`);
    await page.getByRole("button", { name: "Send" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Unload" }).count(), 0);
    const giveKey = async (key: string): Promise<void> => {
      await page.getByText("Key", { exact: true }).click();
      await page.getByLabel("API key or token").fill(key);
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Unload" }).click();
    };
    await giveKey("wrong");
    await page.locator(".controls").getByText("token").waitFor();
    await giveKey(TOKEN);
    await page.getByText("unavailable", { exact: true }).waitFor();
    assert.deepEqual(await barriers(page), []);
    await page.getByRole("button", { name: "Load", exact: true }).click();
    await page.getByRole("button", { name: "Send" }).waitFor();
    await context.close();
  });

  test("shows the administrator who asked how much", async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${server.url}/console#/tenants`);
    await page.locator("#state").getByText("token").waitFor();
    await page.getByLabel("API key or token").fill(TOKEN);
    await page.keyboard.press("Enter");
    const row = page.getByRole("row", { name: "(without a name)" });
    const again = page.getByRole("button", { name: "Look again" });
    await again.waitFor();
    // A model that answers is asked in the tests before this one as well.
    const { digits } = expectedDigits();
    const body = JSON.stringify({ input: nestedImage(digits[0]!) });
    assert.equal((await fetch(`${server.url}/predict/digits`, { method: "POST", body })).status, 200);
    await again.click();
    await row.waitFor();
    assert.match((await row.textContent()) ?? "", /^\(without a name\)\d+0as much as it likes$/);
    assert.deepEqual(await barriers(page), []);
    await context.close();
  });

  test("takes a picture where the model is for pictures, and shows its labels", async () => {
    const { page, context, complaints } = await openPage(browser);
    await page.goto(`${server.url}/console#/models/images/1`);
    const red = { width: 16, height: 16, channels: 3, background: "#ff0000" } as const;
    const picture = await sharp({ create: red }).png().toBuffer();
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Open picture" }).first().click();
    await (await chooser).setFiles({ name: "red.png", mimeType: "image/png", buffer: picture });
    await page.getByRole("button", { name: "Send" }).first().click();
    const best = page.locator(".answer .bars tbody tr").first();
    await best.waitFor();
    assert.equal(await best.getByRole("rowheader").textContent(), "a");
    writeFileSync(join(folder, "red.png"), picture);
    const line = (await page.locator(".calls pre").first().textContent()) ?? "";
    assert.match((await run("sh", ["-c", line], { cwd: folder })).stdout, /"label":"a"/);
    assert.deepEqual(await barriers(page), []);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("is small, and fits a phone", async () => {
    const { page, context } = await openPage(browser, PHONE);
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    let bytes = 0;
    session.on("Network.loadingFinished", ({ encodedDataLength }) => {
      bytes += encodedDataLength;
    });
    await page.goto(`${server.url}/console`, { waitUntil: "networkidle" });
    await page.getByRole("heading", { name: "digits" }).waitFor();
    assert.ok(bytes > 0 && bytes <= MAX_TRANSFER_BYTES, `${bytes} bytes`);
    assert.deepEqual(await widths(page), { window: 320, page: 320 });
    await context.close();
  });

  test("can be used without a mouse", async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${server.url}/console`);
    await page.getByRole("button", { name: "JSON" }).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("image as JSON").fill("[[[0, 1]]]");
    await page.getByRole("button", { name: "Send" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("image").waitFor();
    await page.getByRole("button", { name: "Sample" }).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("image as JSON").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator(".answer .bars").waitFor();
    await context.close();
  });

  test("asks for a key where the server does, and sends it with everything", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-console-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const created = new Date(0).toISOString();
    const { key, record } = makeKey({ name: "reader", models: ["*"], scopes: ["infer"], created });
    const keys = join(folder, "keys.json");
    writeFileSync(keys, JSON.stringify({ keys: [record] }), { mode: 0o600 });
    const guarded = await startServerProcess([MODELS_FOLDER, "--api-keys", keys]);
    t.after(() => guarded.stop());
    const { page, context, complaints } = await openPage(browser);
    await page.goto(`${guarded.url}/console`);
    await page.getByText("this needs a key or token").waitFor();
    assert.deepEqual(await barriers(page), []);
    await page.getByLabel("API key or token").fill(key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "digits" }).waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator(".answer .bars").waitFor();
    const line = (await page.locator(".calls pre").textContent()) ?? "";
    assert.ok(!line.includes(key), "a key is not shown");
    const { stdout } = await run("sh", ["-c", line], { env: { ...process.env, SCONCE_KEY: key } });
    assert.match(stdout, /"prediction"/);
    assert.deepEqual(
      complaints.filter((complaint) => !/status of 401/.test(complaint)),
      [],
    );
    await context.close();
  });
});
