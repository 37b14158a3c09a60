import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Logger } from "../base/logger.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { until } from "../base/until.kit.ts";
import { createReloader } from "./reloader.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-reloader-"));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, "keys");

test("a change that holds still for two looks is read once, and what cannot be read is said once", async () => {
  const clock = new ManualClock();
  const lines: string[] = [];
  const keep = (_fields: object, message: string): void => void lines.push(message);
  const logger: Logger = { debug: keep, info: keep, warn: keep, error: keep, child: () => logger };
  let [reads, fails] = [0, false];
  const thing = {
    what: "the keys",
    paths: [file],
    async reload() {
      reads++;
      if (fails) throw new Error("broken");
    },
  };
  writeFileSync(file, "1");
  const reloader = await createReloader([thing], { clock, logger, intervalMs: 1000 });
  /** A look is over when the next one is due. */
  const look = async (): Promise<void> => {
    clock.advance(1000);
    await until("it has looked", () => clock.pendingTimers === 1);
  };
  await look();
  assert.equal(reads, 0, "nothing has changed");
  writeFileSync(file, "12");
  await look();
  assert.equal(reads, 0, "it may still be written");
  writeFileSync(file, "123");
  await look();
  assert.equal(reads, 0, "it was");
  await look();
  await look();
  assert.equal(reads, 1);
  fails = true;
  rmSync(file);
  for (let i = 0; i < 4; i++) await look();
  assert.equal(reads, 2);
  assert.match(lines.at(-1)!, /^the keys: .*What was read before stays in force$/);
  await reloader.reloadAll();
  assert.equal(reads, 3, "asked for, it reads whether or not something changed");
  reloader.stop();
  await reloader.reloadAll();
  assert.equal(reads, 3);
});

test("asked for by a thousand signals at once, files are read twice at the most", async () => {
  const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
  let reads = 0;
  const thing = {
    what: "the keys",
    paths: [file],
    async reload() {
      reads++;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  const reloader = await createReloader([thing], {
    clock: new ManualClock(),
    logger: silent,
    intervalMs: 1000,
  });
  const first = reloader.reloadAll();
  await until("it reads", () => reads === 1);
  await Promise.all([first, ...Array.from({ length: 1000 }, () => reloader.reloadAll())]);
  assert.equal(reads, 2);
  await reloader.reloadAll();
  assert.equal(reads, 3, "a later one is a new one");
  reloader.stop();
});
