import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { createPrometheusMetrics } from "../base/prometheus-metrics.ts";
import { loadConfig } from "../config/load-config.ts";
import { silentLogger } from "../models/models.kit.ts";
import { openCacheStore } from "./open-cache-store.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-open-cache-store-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const STORE = "redis://127.0.0.1:1";
const TLS_STORE = "rediss://127.0.0.1:1";

function open(flags: Readonly<Record<string, string>>, warnings: string[] = []) {
  const { server } = loadConfig({ flags: new Map(Object.entries(flags)) });
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
  const metrics = createPrometheusMetrics({ processMetrics: false });
  return openCacheStore(server, { clock: systemClock, random: Math.random, logger, metrics });
}

test("without --cache-store there is nothing", async () => {
  assert.equal(await open({}), undefined);
});

test("what cannot be meant is said at the start; whether the store can be reached is not asked", async () => {
  const here = file("here", "x".repeat(32));
  for (const [flags, reason] of [
    [{ "--cache-store-secret-file": file("short", "x".repeat(31)) }, "bad_option"],
    [{ "--cache-store-secret-file": join(folder, "gone") }, "unreadable_path"],
    [{ "--cache-store-password-file": join(folder, "gone") }, "unreadable_path"],
    [{ "--cache-store": TLS_STORE, "--cache-store-cert": here }, "bad_option"],
    [{ "--cache-store": TLS_STORE, "--cache-store-ca": join(folder, "gone") }, "unreadable_path"],
    [{ "--cache-store-ca": here }, "bad_option"],
    [{ "--cache-store-secret-file": here, "--cache-store-password-file": here }, undefined],
  ] as const) {
    const opening = open({ "--cache-store": STORE, ...flags });
    if (reason === undefined) assert.notEqual(await opening, undefined);
    else await assert.rejects(opening, { reason }, JSON.stringify(flags));
  }
});

test("answers that leave the machine unencrypted are warned of", async () => {
  const warnings: string[] = [];
  await open({ "--cache-store": STORE }, warnings);
  await open({ "--cache-store": "rediss://cache.example.com" }, warnings);
  assert.equal(warnings.length, 0);
  await open({ "--cache-store": "redis://cache.example.com" }, warnings);
  await open(
    { "--cache-store": "redis://cache.example.com", "--cache-store-password-file": file("word", "x") },
    warnings,
  );
  assert.deepEqual(
    warnings.map((words) => words.replace(/ can be .*/, "")),
    ["answers", "answers and the password"],
  );
});
