import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelFileError } from "../errors.ts";
import { type Dim, evaluate } from "../graph/sym.ts";
import { parseSrepr } from "./srepr.ts";

function at(dim: Dim, s0: number, s1 = 5): number | undefined {
  const value = evaluate(
    dim,
    new Map([
      ["s0", s0],
      ["s1", s1],
    ]),
  );
  return value;
}

test("sizes as sympy prints them have Python's precedence and division", () => {
  const cases: readonly (readonly [text: string, value: number])[] = [
    ["s0", 7],
    ["12", 12],
    ["2*s0 + 1", 15],
    ["s0*s1 - 2*s0 + 3", 24],
    ["-s0 + 10", 3],
    ["-(s0 - 10)", 3],
    ["(s0//2)", 3],
    ["((s0 - 1)//2) + 1", 4],
    ["-s0//2", -4],
    ["s0**2", 49],
    ["-s0**2", -49],
    ["Max(1, s0 - 9)", 1],
    ["Mod(s0, 4)", 3],
    ["s0 % 4", 3],
    ["FloorDiv(s0, 2)", 3],
    ["(6*s0)/2", 21],
  ];
  for (const [text, value] of cases) assert.equal(at(parseSrepr(text), 7), value, text);
});

test("broken or endless sizes give typed errors", () => {
  for (const text of [
    "",
    "2 +",
    "s0)",
    "(s0",
    "s0 $ 2",
    "Max(1",
    "f(s0)",
    "s0 s1",
    "__import__(s0)",
    ",",
    "Max(,)",
  ]) {
    assert.throws(() => parseSrepr(text), ModelFileError, text);
  }
  assert.throws(() => parseSrepr(`${"(".repeat(200)}s0${")".repeat(200)}`), /nests deeper/);
  assert.throws(() => parseSrepr("s0+".repeat(40_000)), /too long/);
});

test("a choice between cases is read from its pairs", () => {
  const s0 = "Symbol('s0', integer=True)";
  const pair = (value: string, condition: string): string => `ExprCondPair(${value}, ${condition})`;
  const isOne = `Equality(${s0}, Integer(1))`;
  const dim = parseSrepr(`Piecewise(${pair("Integer(10)", isOne)}, ${pair(s0, "true")})`);
  assert.equal(at(dim, 1), 10);
  assert.equal(at(dim, 4), 4);
});

test("a size divided by 0 ends, and has no value", () => {
  for (const text of ["(s0 - s0)/0", "(1 - 1)/0", "s0/0 + s0/2", "s0//0"]) {
    const value = at(parseSrepr(text), 4);
    assert.ok(value === undefined || !Number.isFinite(value), text);
  }
});
