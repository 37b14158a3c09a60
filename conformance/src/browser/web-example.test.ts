// Tests examples/web: its page in Chromium, and its route as a site's framework calls it.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";
import { argmax, expectedDigits, MODELS_FOLDER } from "../expected-digits.ts";
import { programOrReason } from "../program.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { barriers, launchBrowser, openPage, PHONE, widths } from "./browser.kit.ts";
import { type Site, serveSite } from "./site.kit.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const ROUTE = join(ROOT, "examples/web/app/api/digit/route.ts");
const chromium = programOrReason("chromium");

type Post = (request: Request) => Promise<Response>;

describe("examples/web", () => {
  let server: ServerProcess;
  let site: Site;
  before(async () => {
    site = await serveSite({}, ROOT);
    server = await startServerProcess([MODELS_FOLDER, "--cors-origins", site.origin]);
  });
  after(() => Promise.all([server.stop(), site.close()]));

  test("the page says which digit is drawn", { skip: chromium.skip }, async (t) => {
    const browser = await launchBrowser(chromium.path!);
    t.after(() => browser.close());
    const { page, complaints } = await openPage(browser, { ...PHONE, isMobile: false });
    await page.goto(`${site.origin}/examples/web/?server=${server.url}`);
    const { x, y } = (await page.locator("canvas").boundingBox())!;
    await page.mouse.move(x + 128, y + 30);
    await page.mouse.down();
    await page.mouse.move(x + 128, y + 226, { steps: 5 });
    await page.mouse.up();
    await page.getByText(/^1 \(\d+ %\)$/).waitFor();
    assert.deepEqual(await widths(page), { window: 320, page: 320 });
    assert.deepEqual(await barriers(page), []);
    assert.deepEqual(complaints, []);
  });

  test("the route answers, says what is wrong, and passes errors on", async (t) => {
    // Beside this file, where packages are found.
    const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), "route-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const { outputText } = ts.transpileModule(readFileSync(ROUTE, "utf8"), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    });
    writeFileSync(join(folder, "route.mjs"), outputText);
    const { href } = pathToFileURL(join(folder, "route.mjs"));
    process.env["SCONCE_URL"] = server.url;
    const { POST } = (await import(href)) as { POST: Post };
    const post = async (body: string, signal?: AbortSignal): Promise<[number, Record<string, unknown>]> => {
      const response = await POST(
        new Request("http://site/api/digit", { method: "POST", body, ...(signal && { signal }) }),
      );
      return [response.status, (await response.json()) as Record<string, unknown>];
    };
    const [digit] = expectedDigits().digits;
    const [status, answer] = await post(JSON.stringify([...digit!.image]));
    assert.deepEqual([status, answer["digit"]], [200, argmax(digit!.probabilities)]);
    for (const wrong of ["", "{}", "[1]", JSON.stringify(Array(64).fill("1"))])
      assert.deepEqual(await post(wrong), [400, { error: "send 64 numbers from 0 to 1" }], wrong);
    const left = post(JSON.stringify([...digit!.image]), AbortSignal.abort(new Error("left")));
    await assert.rejects(left, /left/);
    process.env["SCONCE_URL"] = "http://127.0.0.1:1";
    const { POST: nowhere } = (await import(`${href}?again`)) as { POST: Post };
    const body = JSON.stringify([...digit!.image]);
    const down = await nowhere(new Request("http://site/api/digit", { method: "POST", body }));
    assert.equal(down.status, 503);
  });
});
