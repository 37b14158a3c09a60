// Tests calls from pages of other origins in Chromium: fetch with CORS, and gRPC-Web and Connect by Connect's own client for browsers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type * as connect from "@connectrpc/connect";
import type * as web from "@connectrpc/connect-web";
import type * as messages from "@sconce/protocol/messages";
import type { Browser } from "playwright-core";
import { argmax, expectedDigits, MODELS_FOLDER, nestedImage } from "../expected-digits.ts";
import { programOrReason } from "../program.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { launchBrowser, openPage, type WatchedPage } from "./browser.kit.ts";
import { bundle } from "./bundle.kit.ts";
import { type Site, serveSite } from "./site.kit.ts";

/** What the page has of these libraries. */
declare const rpc: typeof connect & typeof web & typeof messages;

const BUNDLED = `
export { Code, ConnectError, createClient } from "@connectrpc/connect";
export { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
export { GRPCInferenceService, Health, sconceV1 } from "@sconce/protocol/messages";
`;
const chromium = programOrReason("chromium");
const [digit] = expectedDigits().digits;
const rows = nestedImage(digit!);

describe("a page of another origin", { skip: chromium.skip }, () => {
  let server: ServerProcess;
  let browser: Browser;
  let site: Site;
  let stranger: Site;
  let friend: WatchedPage;
  before(async () => {
    const code = await bundle(`import * as rpc from "./rpc.js"; globalThis.rpc = rpc;`, {
      "rpc.js": BUNDLED,
    });
    [site, stranger] = await Promise.all([serveSite({ "/rpc.js": code.code }), serveSite({})]);
    [server, browser] = await Promise.all([
      startServerProcess([MODELS_FOLDER, "--cors-origins", site.origin]),
      launchBrowser(chromium.path!),
    ]);
    friend = await openPage(browser);
    await friend.page.goto(site.origin);
    await friend.page.addScriptTag({ url: "/rpc.js", type: "module" });
  });
  after(async () => {
    await browser?.close();
    await Promise.all([server?.stop(), site?.close(), stranger?.close()]);
  });

  test("that is allowed asks in JSON, after a preflight, and reads the answer and what its headers tell", async () => {
    const { page, complaints } = friend;
    const answer = await page.evaluate(
      async ({ url, image }) => {
        const response = await fetch(`${url}/predict/digits`, {
          method: "POST",
          headers: { "content-type": "application/json", "x-request-timeout-ms": "30000" },
          body: JSON.stringify({ input: [image] }),
        });
        const { headers } = response;
        return {
          status: response.status,
          body: (await response.json()) as { prediction: number[][] },
          timing: headers.get("server-timing"),
          id: headers.get("x-request-id"),
        };
      },
      { url: server.url, image: rows },
    );
    assert.equal(answer.status, 200);
    assert.equal(argmax(answer.body.prediction.flat()), argmax(digit!.probabilities));
    assert.match(answer.timing ?? "", /compute;dur=/);
    assert.match(answer.id ?? "", /./);
    assert.deepEqual(complaints, []);
  });

  test("reads why a call failed", async () => {
    const answer = await friend.page.evaluate(async (url) => {
      const response = await fetch(`${url}/v2/models/nobody/infer`, { method: "POST", body: "{}" });
      return { status: response.status, body: (await response.json()) as { error: string } };
    }, server.url);
    assert.equal(answer.status, 404);
    assert.match(answer.body.error, /nobody.* does not exist/);
  });

  test("that is not allowed gets nothing, not even by calls without a preflight", async () => {
    const { page, context, complaints } = await openPage(browser);
    await page.goto(stranger.origin);
    const outcomes = await page.evaluate(async (url) => {
      const calls: Record<string, () => Promise<Response>> = {
        simple: () => fetch(`${url}/v2/models`),
        preflighted: () =>
          fetch(`${url}/predict/digits`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: "{}",
          }),
        credentials: () => fetch(`${url}/v2`, { credentials: "include" }),
        text: () => fetch(`${url}/predict/digits`, { method: "POST", body: "{}" }),
      };
      const seen: Record<string, string> = {};
      for (const [name, call] of Object.entries(calls))
        seen[name] = await call().then(
          (response) => `status ${response.status}`,
          (error: Error) => error.name,
        );
      // Sent blindly: it arrives, and is refused there.
      seen["blind"] = (await fetch(`${url}/v2`, { mode: "no-cors" })).type;
      return seen;
    }, server.url);
    assert.deepEqual(outcomes, {
      simple: "TypeError",
      preflighted: "TypeError",
      credentials: "TypeError",
      text: "TypeError",
      blind: "opaque",
    });
    assert.ok(complaints.some((complaint) => /blocked by CORS policy/.test(complaint)));
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(
      metrics,
      /sconce_inferences_total\{[^}]*model="digits"[^}]*\} 1$/m,
      "only the friend was served",
    );
    await context.close();
  });

  for (const protocol of ["Connect, JSON", "Connect, binary", "gRPC-Web"] as const) {
    test(`calls by ${protocol}: an inference, an error, a stream that it leaves`, async () => {
      const { page, complaints } = friend;
      const before = complaints.length;
      const answer = await page.evaluate(
        async ({ baseUrl, name, pixels }) => {
          const transport =
            name === "gRPC-Web"
              ? rpc.createGrpcWebTransport({ baseUrl })
              : rpc.createConnectTransport({ baseUrl, useBinaryFormat: name === "Connect, binary" });
          const inference = rpc.createClient(rpc.GRPCInferenceService, transport);
          const inputs = [{ name: "image", datatype: "FP32", shape: [1n, 1n, 8n, 8n] }];
          let timing: string | null = null;
          const { rawOutputContents } = await inference.modelInfer(
            {
              modelName: "digits",
              inputs,
              rawInputContents: [new Uint8Array(Float32Array.from(pixels).buffer)],
            },
            {
              onTrailer: (trailers) => {
                timing = trailers.get("server-timing");
              },
            },
          );
          const error = await inference.modelInfer({ modelName: "nobody" }).then(
            () => undefined,
            (reason: unknown) => rpc.ConnectError.from(reason),
          );
          const leaving = new AbortController();
          const states: number[] = [];
          const health = rpc.createClient(rpc.Health, transport);
          try {
            for await (const { status } of health.watch({ service: "digits" }, { signal: leaving.signal })) {
              states.push(status);
              leaving.abort();
            }
          } catch {
            // That it was left.
          }
          return {
            scores: [...new Float32Array(Uint8Array.from(rawOutputContents[0]!).buffer)],
            timing,
            code: error?.code,
            reason: error?.metadata.get("sconce-reason"),
            words: error?.rawMessage,
            states,
          };
        },
        { baseUrl: server.url, name: protocol, pixels: [...digit!.image] },
      );
      for (const [k, expected] of digit!.probabilities.entries())
        assert.ok(Math.abs(answer.scores[k]! - expected) <= 1e-5);
      assert.match(answer.timing ?? "", /compute;dur=/);
      assert.equal(answer.code, 5, "not found");
      assert.equal(answer.reason, "model_not_found");
      assert.match(answer.words ?? "", /nobody.* does not exist/);
      assert.deepEqual(answer.states, [1]);
      // Connect spells errors as HTTP statuses, which a browser reports by itself.
      const unexpected = complaints.slice(before).filter((complaint) => !/status of 404/.test(complaint));
      assert.deepEqual(unexpected, []);
    });
  }
});
