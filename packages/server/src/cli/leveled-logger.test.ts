import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../base/logger.ts";
import { leveledLogger } from "./leveled-logger.ts";

test("a changed level holds for loggers that were made before", () => {
  const lines: string[] = [];
  const keep = (_fields: object, message: string): void => void lines.push(message);
  const all: Logger = { debug: keep, info: keep, warn: keep, error: keep, child: () => all };
  const logger = leveledLogger(all, "warn");
  const child = logger.child({ model: "m" });
  const say = (words: string): void => {
    child.debug({}, `debug ${words}`);
    child.warn({}, `warn ${words}`);
  };
  say("1");
  logger.setLevel("debug");
  say("2");
  logger.setLevel("silent");
  say("3");
  logger.error({}, "4");
  assert.deepEqual(lines, ["warn 1", "debug 2", "warn 2"]);
});
