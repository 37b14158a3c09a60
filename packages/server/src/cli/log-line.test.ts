import assert from "node:assert/strict";
import { test } from "node:test";
import { oneLine } from "../base/printable.ts";
import { readableLine } from "./log-line.ts";

const plain = { isColoured: false, shown: oneLine };
const line = (fields: object): string =>
  JSON.stringify({ level: 40, time: "2026-11-30T09:00:00.000Z", ...fields });

test("a line has its level by name, its message, then its fields", () => {
  assert.match(
    readableLine(line({ model: "digits", reason: "too large", n: 3, msg: "it failed" }), plain),
    /^\d\d:\d\d:\d\d warn {2}it failed model=digits reason="too large" n=3\n$/,
  );
  assert.match(readableLine(line({ msg: "x", err: { message: "why", stack: "at" } }), plain), /err="why"\n$/);
});

test("names in a line steer no terminal and make no line of their own", () => {
  const told = readableLine(line({ model: "a\x1b[2J\nb", msg: "c\x1b[31m\n12:00:00 error d" }), plain);
  assert.equal(told.indexOf("\n"), told.length - 1);
  assert.ok(!told.includes("\x1b"));
});

test("a line that is longer than the terminal is wide goes on below its message, and what is longer than that stays whole", () => {
  const told = (fields: object, columns: number): string[] =>
    readableLine(line(fields), { ...plain, columns })
      .trimEnd()
      .split("\n");
  const below = " ".repeat(15);
  const long = "x".repeat(40);
  assert.deepEqual(
    told({ msg: "one two three four", a: 1, path: long }, 30).map((row) => row.slice(15)),
    ["one two three", "four a=1", `path=${long}`],
  );
  assert.ok(told({ msg: "one two three four" }, 30)[1]!.startsWith(`${below}four`));
  assert.equal(told({ msg: "one two three four", a: 1 }, 200).length, 1);
});

test("fractions have the digits that people read", () => {
  const fields = { msg: "x", ms: 12.345678, small: 0.00012345, n: 1e21, parts: { a: 77.550835, b: [3] } };
  assert.match(
    readableLine(line(fields), plain),
    / ms=12\.35 small=0\.000123 n=1e\+21 parts=\{"a":77\.55,"b":\[3\]\}\n$/,
  );
});

test("the level is coloured where colours are wanted", () => {
  const told = readableLine(line({ msg: "x" }), { ...plain, isColoured: true });
  assert.ok(told.endsWith("\x1b[33mwarn \x1b[0m x\n"), told);
});

test("what is no line of the log stays as it is", () => {
  assert.equal(
    readableLine("Segmentation fault\n", { ...plain, shown: (text) => text }),
    "Segmentation fault\n",
  );
});
