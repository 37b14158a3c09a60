import assert from "node:assert/strict";
import { test } from "node:test";
import { consoleRoutes } from "./console-routes.ts";
import { getPage, type SentPage } from "./page-route.kit.ts";

const script = (folder: string, name: string): Promise<SentPage> =>
  getPage(consoleRoutes(), `/console/${folder}/:script`, { script: name });

test("every script that the page's scripts import is there", async () => {
  const waiting = ["app/main.js"];
  const seen = new Set(waiting);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const [folder, name] = path.split("/") as [string, string];
    const { text, type } = await script(folder, name);
    assert.equal(type, "text/javascript; charset=utf-8");
    for (const [, from] of text.matchAll(/^(?:import|export) .*from "([^"]+)";$/gm)) {
      const next = new URL(from!, `http://page/${path}`).pathname.slice(1);
      if (!seen.has(next)) waiting.push(next);
      seen.add(next);
    }
  }
  assert.ok(seen.has("base/shell-text.js"), "scripts lead to those that the server shares");
});

test("the page loads what this server has, and nothing inline", async () => {
  const { text, type, headers } = await getPage(consoleRoutes(), "/console");
  assert.equal(type, "text/html; charset=utf-8");
  assert.doesNotMatch(text, /https?:|<style|<script>| style=| on\w+=/);
  const policy = headers[headers.indexOf("Content-Security-Policy") + 1] ?? "";
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|\*/);
});

test("no other file of the server can be had", async () => {
  for (const name of [
    "../base/clock.js",
    "main.d.ts",
    "clock.js",
    "..",
    "",
    "tsconfig.tsbuildinfo",
    "none.js",
  ]) {
    for (const folder of ["app", "why", "base"])
      await assert.rejects(script(folder, name), { code: "not_found" }, `${folder} ${name}`);
  }
});
