import assert from "node:assert/strict";
import { test } from "node:test";
import { progressLine } from "./progress-line.ts";

test("one line at a time, within the terminal's width, and gone at the end", () => {
  const written: string[] = [];
  const show = progressLine({ isTTY: true, columns: 12, write: (text) => written.push(text) })!;
  show("translating a\x1b[2J");
  show("writing");
  show();
  show();
  assert.deepEqual(written, ["translatin…", "\r\x1b[K", "writing…", "\r\x1b[K"]);
});

test("there is none where nobody looks", () => {
  assert.equal(progressLine({ write: () => assert.fail("it was written to") }), undefined);
});
