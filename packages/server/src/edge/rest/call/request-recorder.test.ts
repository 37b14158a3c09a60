import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../../../base/logger.ts";
import { recordInto, recordRequests } from "./request-recorder.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-record-"));
after(() => rmSync(folder, { recursive: true }));

const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

test("a request is kept with what says how to read it, and without what may be secret", async () => {
  const path = join(folder, "one.jsonl");
  const recorder = await recordRequests(path, { maxBytes: 1000, logger: silentLogger });
  const headers = { "content-type": "application/json", authorization: "Bearer secret", cookie: "id=secret" };
  recorder.record({ url: "/predict/digits?key=secret", headers, body: Buffer.from('{"input":[1]}') });
  await recorder.close();
  assert.deepEqual(linesOf(path), [
    {
      path: "/predict/digits",
      headers: { "content-type": "application/json" },
      base64: Buffer.from('{"input":[1]}').toString("base64"),
    },
  ]);
  assert.doesNotMatch(readFileSync(path, "utf8"), /secret/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("the file has no more bytes than it may, and nothing is written behind a line that found no room", async () => {
  const path = join(folder, "full.jsonl");
  const said: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => void said.push(message) };
  const request = (bytes: number) => ({ url: "/p", headers: {}, body: Buffer.alloc(bytes) });
  const line = `${JSON.stringify({ path: "/p", headers: {}, base64: Buffer.alloc(30).toString("base64") })}\n`;
  const recorder = await recordRequests(path, { maxBytes: line.length * 2, logger });
  for (const bytes of [30, 30, 30, 1]) recorder.record(request(bytes));
  await recorder.close();
  assert.equal(readFileSync(path, "utf8"), line + line);
  assert.equal(said.length, 1);
});

test("a file that is there stays as it is, and the start says so", async () => {
  const path = join(folder, "there.jsonl");
  writeFileSync(path, "mine");
  for (const [taken, words] of [
    [path, /there\.jsonl: it is there already; name a new file$/],
    [join(folder, "nowhere", "new.jsonl"), /nowhere.new\.jsonl: it does not exist$/],
  ] as const) {
    const opening = recordRequests(taken, { maxBytes: 1000, logger: silentLogger });
    await assert.rejects(opening, { reason: "unreadable_path", message: words });
  }
  assert.equal(readFileSync(path, "utf8"), "mine");
});

const NO_FULL_DISK = existsSync("/dev/full") ? false : "this system has no /dev/full";

test("a disk that is full ends the recording, and requests are served all the same", {
  skip: NO_FULL_DISK,
}, async () => {
  let tell = (_: string): void => {};
  const told = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const logger = { ...silentLogger, error: (_: object, message: string) => tell(message) };
  const recorder = recordInto(await open("/dev/full", "w"), { maxBytes: 1000, logger });
  recorder.record({ url: "/p", headers: {}, body: Buffer.from("x") });
  assert.match(await told, /^requests are not recorded any more/);
  recorder.record({ url: "/p", headers: {}, body: Buffer.from("x") });
  await recorder.close();
});
