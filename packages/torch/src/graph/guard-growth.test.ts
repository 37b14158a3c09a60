import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGuard } from "../exported/guards/parse-guard.ts";
import { guardSize } from "./guard.ts";
import { sizesThatMayNotGrow } from "./guard-growth.ts";
import { symbol } from "./sym.ts";

/** The sizes of the guard whose growth may break it. */
function bound(text: string): string {
  const condition = parseGuard(text, { input: () => undefined, symbol: (name) => guardSize(symbol(name)) });
  return [...sizesThatMayNotGrow(condition!)].sort().join();
}

test("a guard that more rows may break binds the batch", () => {
  const cases: [string, string][] = [
    ["b % 2 == 0", "b"],
    ["b == 2*c", "b,c"],
    ["b*h < 1000", "b,h"],
    ["b <= c", "b"],
    ["b != 4", "b"],
    ["b - h >= 3", "h"],
    ["abs(b - h) >= 3", "b,h"],
    ["max(b, h) == 8", "b,h"],
    ["b > 3 or h % 2 == 0", "h"],
    ["not b > 3", "b"],
  ];
  for (const [text, want] of cases) assert.equal(bound(text), want, text);
});

test("a guard that holds whatever the number of rows does not bind it", () => {
  const cases: [string, string][] = [
    ["b*h > 40", ""],
    ["(b*h) == (2*b*(h // 2))", "h"],
    ["((b*h) % (4*b)) == 0", "h"],
    ["b*(h // 2)*(h // (h // 2)) >= 2", "h"],
    ["(8*b) // b == 8", ""],
    ["3*b*h != 0", ""],
    ["b != 1", ""],
    ["2 <= b", ""],
    ["max(1, b*h) > 4", ""],
  ];
  for (const [text, want] of cases) assert.equal(bound(text), want, text);
});
