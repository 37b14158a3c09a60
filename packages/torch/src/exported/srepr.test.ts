import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelFileError } from "../errors.ts";
import { evaluate, keyOf } from "../graph/sym.ts";
import { parseSrepr } from "./srepr.ts";

const s = "Symbol('s0', positive=True, integer=True)";
const t = "Symbol('s1', integer=True)";
const values = new Map([
  ["s0", 7],
  ["s1", -3],
]);

for (const [text, expected] of Object.entries({
  "Integer(4)": 4,
  "Integer(-4)": -4,
  [s]: 7,
  [`Mul(Integer(4), ${s})`]: 28,
  [`Add(Mul(Integer(-1), ${s}), Integer(10))`]: 3,
  [`FloorDiv(${s}, Integer(2))`]: 3,
  [`FloorDiv(${t}, Integer(2))`]: -2,
  [`PythonMod(${t}, Integer(2))`]: 1,
  [`Mod(${s}, Integer(4))`]: 3,
  [`CleanDiv(Mul(Integer(6), ${s}), Integer(3))`]: 14,
  [`Mul(Rational(1, 2), Add(${s}, Integer(1)))`]: 4,
  [`Add(Mul(Rational(1, 2), ${s}), Rational(1, 2))`]: 4,
  [`Pow(${s}, Integer(2))`]: 49,
  [`Max(Integer(1), ${s}, ${t})`]: 7,
  [`Min(Integer(1), ${s}, ${t})`]: -3,
  [`CeilToInt(IntTrueDiv(${s}, Integer(2)))`]: 4,
  [`TruncToInt(FloatTrueDiv(ToFloat(${t}), Float('2.0', precision=53)))`]: -1,
})) {
  test(`${text} is ${expected}`, () => {
    assert.equal(evaluate(parseSrepr(text), values), expected);
  });
}

test("equal sizes written differently have equal keys", () => {
  const key = (text: string): string => keyOf(parseSrepr(text));
  assert.equal(key(`Mul(${s}, ${t})`), key(`Mul(${t}, ${s})`));
  assert.equal(key(`Add(${s}, ${s})`), key(`Mul(Integer(2), ${s})`));
  assert.equal(key(`Mul(Integer(2), CleanDiv(${s}, Integer(2)))`), key(s));
  assert.notEqual(key(`FloorDiv(${s}, Integer(2))`), key(`FloorDiv(${t}, Integer(2))`));
});

const kindOf = (text: string): string | undefined => {
  try {
    parseSrepr(text);
  } catch (error) {
    return error instanceof ModelFileError ? error.kind : String(error);
  }
  return undefined;
};

test("what is not a size is refused and nothing is executed", () => {
  for (const text of [
    "",
    "Integer(",
    "Integer(1",
    "Integer(1))",
    "Symbol(s0)",
    "Symbol('s0', 1)",
    "'a'",
    "1 2",
  ]) {
    assert.equal(kindOf(text), "corrupt", text);
  }
  for (const text of [
    "__import__(Integer(1))",
    "constructor(Integer(1))",
    "Gamma(Integer(1))",
    "Integer()",
    "oo",
  ]) {
    assert.equal(kindOf(text), "unsupported", text);
  }
});

test("depth and length are limited", () => {
  const nested = (depth: number): string => `${"Identity(".repeat(depth)}Integer(1)${")".repeat(depth)}`;
  assert.equal(kindOf(nested(99)), undefined);
  assert.equal(kindOf(nested(101)), "limit");
  assert.equal(kindOf(" ".repeat(100_001)), "limit");
});
