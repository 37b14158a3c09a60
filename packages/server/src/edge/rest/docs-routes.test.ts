import assert from "node:assert/strict";
import { test } from "node:test";
import type { RestCall } from "./call/rest-call.ts";
import { docsRoutes } from "./docs-routes.ts";

interface Sent {
  readonly type: string;
  readonly text: string;
  readonly headers: readonly string[];
}

async function get(url: string): Promise<Sent> {
  const sent: Sent[] = [];
  const call = {
    request: { headers: {} },
    sendKept({ type, body, headers }: { type: string; body: Buffer; headers: string[] }) {
      sent.push({ type, text: body.toString(), headers });
    },
  } as unknown as RestCall; // what the route uses of it
  const route = docsRoutes().find(({ urls }) => urls.includes(url));
  assert.ok(route !== undefined, `no route ${url}`);
  assert.equal(route.needs, "nothing", "who is asked for a key can enter it there");
  await route.run(call, {});
  return sent[0]!;
}

test("the page loads what this server has, and nothing else", async () => {
  const { text, type } = await get("/docs");
  assert.equal(type, "text/html; charset=utf-8");
  const loaded = [...text.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map(([, path]) => `/${path}`);
  assert.equal(loaded.length, 4);
  for (const url of loaded) assert.ok((await get(url)).text.length > 100, url);
  assert.doesNotMatch(text, /https?:|<style|<script>| style=| on\w+=/);
});

test("scripts are this server's own, whatever a model or an answer says", async () => {
  const { headers } = await get("/docs");
  const policy = headers[headers.indexOf("Content-Security-Policy") + 1] ?? "";
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.equal((await get("/docs/renderer.js")).type, "text/javascript; charset=utf-8");
});
