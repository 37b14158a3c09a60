// Tests the whole way: a server keeps requests, and a load sends them again.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ServeError } from "../../base/errors.ts";
import { runCommand } from "../command.kit.ts";
import { startPrivateServer } from "../private/private-server.ts";
import { benchCommand } from "./bench.ts";
import { readRecorded } from "./recorded-requests.ts";

const DIGITS = fileURLToPath(new URL("../../../../../examples/models/digits.pt2", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sconce-recorded-"));
after(() => rmSync(folder, { recursive: true }));

test("what a server recorded is sent again, in turn", async () => {
  const [first, second] = [join(folder, "first.jsonl"), join(folder, "second.jsonl")];
  const image = [Array.from({ length: 8 }, () => Array.from({ length: 8 }, () => 0.5))];
  const bodies = [1, 2, 3].map((rows) =>
    JSON.stringify({ input: Array.from({ length: rows }, () => image) }),
  );
  const recording = await startPrivateServer(DIGITS, { "--record": first });
  for (const body of bodies) {
    const headers = { "content-type": "application/json", "x-secret": "secret" };
    const url = `${recording.origin}/predict/digits?key=secret`;
    const response = await fetch(url, { method: "POST", headers, body });
    assert.equal(response.status, 200, await response.text());
  }
  await recording.stop();
  assert.doesNotMatch(readFileSync(first, "utf8"), /secret/);
  assert.deepEqual(
    readRecorded(first).map(({ path, bytes }) => [path, Buffer.from(bytes).toString()]),
    bodies.map((body) => ["/predict/digits", body]),
  );
  const again = await startPrivateServer(DIGITS, { "--record": second });
  const args = [
    "--requests",
    first,
    "--max-requests",
    "7",
    "--connections",
    "1",
    "--warm-up",
    "0ms",
    "--json",
  ];
  const { code } = await runCommand(benchCommand, `${again.origin}/predict/digits`, ...args);
  await again.stop();
  assert.equal(code, 0);
  const sent = readRecorded(second).map(({ bytes }) => Buffer.from(bytes).toString());
  assert.deepEqual(sent.slice(0, 4), [...bodies, bodies[0]]);
});

test("lines that are no requests are named", () => {
  const file = join(folder, "wrong.jsonl");
  const good = '{"path": "/predict/m", "body": {"input": [1]}}';
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /wrong\.jsonl holds no request/],
    [`${good}\n{`, /wrong\.jsonl, line 2: no JSON/],
    ["[]", /line 1: "path" is not like/],
    ['{"path": "/p q", "body": 1}', /"path"/],
    ['{"path": "/p", "headers": {"a": "b\\r\\nc: d"}, "body": 1}', /"headers"/],
    ['{"path": "/p"}', /neither "body" nor "base64"/],
  ];
  for (const [text, message] of cases) {
    writeFileSync(file, text);
    assert.throws(
      () => readRecorded(file),
      (error: ServeError) => message.test(error.message),
    );
  }
  writeFileSync(file, `${good}\n\n${good}`);
  assert.equal(readRecorded(file).length, 2);
  assert.throws(() => readRecorded(join(folder, "nowhere")), /cannot be read/);
  assert.throws(() => readRecorded(folder), /cannot be read/);
});

test("a body of 200,000 nested lists is sent where Node can write it, and named elsewhere", () => {
  const file = join(folder, "deep.jsonl");
  const body = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  writeFileSync(file, `{"path": "/p", "body": ${body}}`);
  let read: ReturnType<typeof readRecorded>;
  try {
    read = readRecorded(file);
  } catch (error) {
    assert.match((error as ServeError).message, /line 1: "body" is nested too deep/);
    return;
  }
  assert.equal(Buffer.from(read[0]!.bytes).toString(), body);
});
