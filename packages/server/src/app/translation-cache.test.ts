import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Logger, silentLogger } from "../base/logger.ts";
import { loadConfig } from "../config/load-config.ts";
import { hasTranslations, translationCacheOf, usualTranslationFolder } from "./translation-cache.ts";

const root = mkdtempSync(join(tmpdir(), "sconce-translation-cache-"));
after(() => rmSync(root, { recursive: true }));

test("translations are usually kept where the user's caches are, and nowhere for a user without a home", () => {
  const environments = [
    { XDG_CACHE_HOME: "/caches", HOME: "/home/ada" },
    { XDG_CACHE_HOME: "relative", HOME: "/home/ada" },
    { HOME: "/home/ada" },
    { HOME: "" },
    {},
  ];
  assert.deepEqual(environments.map(usualTranslationFolder), [
    "/caches/sconce/translations",
    "/home/ada/.cache/sconce/translations",
    "/home/ada/.cache/sconce/translations",
    "off",
    "off",
  ]);
});

const configOf = (value?: string) =>
  loadConfig({ flags: new Map(value === undefined ? [] : [["--translation-cache", value]]) }).server;

test("a server keeps translations where it is told to, and by itself nowhere", () => {
  assert.equal(translationCacheOf(configOf(), silentLogger), undefined);
  assert.equal(translationCacheOf(configOf("off"), silentLogger), undefined);
  const folder = join(root, "kept");
  const options = translationCacheOf(configOf(folder), silentLogger)!;
  assert.deepEqual([options.folder, options.maxBytes], [folder, 2 ** 31]);
  assert.equal(hasTranslations(options), false);
  writeFileSync(join(folder, "an entry"), "");
  assert.equal(hasTranslations(options), true);
});

test("a folder that others may write is not used, and the log says so", () => {
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_, message) => warnings.push(message) };
  const folder = join(root, "open to all");
  translationCacheOf(configOf(folder), logger);
  assert.deepEqual(warnings, []);
  chmodSync(folder, 0o777);
  assert.equal(translationCacheOf(configOf(folder), logger), undefined);
  assert.match(warnings.join(), /not kept: the folder for them can be written by other users/);
});
