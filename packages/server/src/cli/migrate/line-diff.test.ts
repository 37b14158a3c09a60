import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lineDiff } from "./line-diff.ts";

test("what stays, goes and comes", () => {
  assert.deepEqual(lineDiff("", "a\nb\n"), ["+a", "+b"]);
  assert.deepEqual(lineDiff("a\nb\nc\n", "a\nx\nc\n"), [" a", "-b", "+x", " c"]);
  assert.deepEqual(lineDiff("a\n", ""), ["-a"]);
});

test("of any two texts, a diff holds both", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 12 });
  fc.assert(
    fc.property(text, text, (before, after) => {
      const shown = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");
      const diff = lineDiff(shown(before), shown(after));
      const side = (marks: string): string[] =>
        diff.filter((line) => marks.includes(line[0]!)).map((line) => line.slice(1));
      assert.deepEqual(side(" -"), before);
      assert.deepEqual(side(" +"), after);
    }),
  );
});
