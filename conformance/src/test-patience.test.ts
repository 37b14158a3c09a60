// Tests that no test holds on a quick machine only: a look for what has failed on slow ones.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDERS = ["packages/protocol/src", "packages/client/src", "packages/torch/src", "packages/server/src"];
const tests = [...FOLDERS, "conformance/src", "bench/src"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:test|kit)\.ts$/.test(name) && name !== "test-patience.test.ts")
    .map((name) => ({ path: join(folder, name), text: readFileSync(join(ROOT, folder, name), "utf8") })),
);

/** What a test says → what it should say. */
const HASTY: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [
    /"--duration",\s*"(?:\d+(?:us|ms)|[0-5]?\ds?)"/,
    "a load ends with --max-requests; --duration 60s is its bound",
  ],
  [/\bin 0\\\.\\d\+? s\b/, "time that has passed may be any: \\d+\\.\\d s"],
  [
    /interruptAfterTimeLimit[\s\S]*asyncProperty|asyncProperty[\s\S]*interruptAfterTimeLimit/,
    "numRuns alone",
  ],
  [/function freePorts?\(/, "freePort of conformance/src/free-port.ts, where no neighbour takes it"],
  [
    /assert\.ok\((?:performance\.now\(\) - \w+|\w*elapsed\w*) <=? /,
    "an event that is waited for, a count, or processor time",
  ],
];

test("no test of these kinds depends on the speed of the machine", () => {
  const found = HASTY.flatMap(([pattern, instead]) =>
    tests.filter(({ text }) => pattern.test(text)).map(({ path }) => `${path}: ${pattern} → ${instead}`),
  );
  assert.deepEqual(found, []);
});

test("and the look finds them", () => {
  const [duration, words, interrupted, port, elapsed] = HASTY.map(([pattern]) => pattern);
  for (const [pattern, text] of [
    [duration, '"--duration",\n "100ms"'],
    [duration, '"--duration", "5s"'],
    [words, String.raw`/answered in 0\.\d s/`],
    [interrupted, "fc.asyncProperty(x), { interruptAfterTimeLimit: 9 }"],
    [port, "async function freePort(): Promise<number> {"],
    [elapsed, "assert.ok(elapsedMs < 500)"],
  ] as const)
    assert.match(text, pattern!);
  assert.doesNotMatch('"--duration", "60s"', duration!);
});
