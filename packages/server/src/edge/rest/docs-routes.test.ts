import assert from "node:assert/strict";
import { test } from "node:test";
import { docsRoutes } from "./docs-routes.ts";
import { getPage, type SentPage } from "./page-route.kit.ts";

const get = (url: string): Promise<SentPage> => getPage(docsRoutes(), url);

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
