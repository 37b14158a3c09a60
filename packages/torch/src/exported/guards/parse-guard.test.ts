import assert from "node:assert/strict";
import { test } from "node:test";
import { type GuardTerm, guardSize } from "../../graph/guard.ts";
import { guardText } from "../../graph/guard-text.ts";
import { symbol } from "../../graph/sym.ts";
import { type GuardNames, parseGuard } from "./parse-guard.ts";

const labels = {
  code: (term: GuardTerm) =>
    typeof term === "object" && term.op === "size" && "dim" in term ? term.dim.key : "value",
  words: () => "",
};

/** Every input is known; its size is a symbol called after what the guard says. */
const names: GuardNames = {
  input: (path, read) =>
    read.kind === "size" || read.kind === "stride"
      ? guardSize(symbol(`${path}.${read.kind}.${read.axis}`))
      : read.kind === "offset"
        ? 0
        : guardSize(symbol(path)),
  symbol: (name) => (/^s\d+$/.test(name) ? guardSize(symbol(name)) : undefined),
};

/** The guard as it was understood, fully bracketed; undefined when it was not. */
function understood(text: string): string | undefined {
  const term = parseGuard(text, names);
  return term === undefined ? undefined : guardText(term, labels);
}

test("guards are read as Python reads them: precedence, chains, signs, functions", () => {
  const cases: [string, string][] = [
    ["(L['x'].size()[1] % 2) == 0", "(['x'].size.1 % 2) == 0"],
    ["s1*s2 + 1 > 40", "((s1*s2) + 1) > 40"],
    ["1 + s1 // 2 * 3 - s2 % 4 == -s3 ** 2", "((1 + ((s1 // 2)*3)) - (s2 % 4)) == -(s3 ** 2)"],
    ["2 ** s1 ** 2 > 1", "(2 ** (s1 ** 2)) > 1"],
    ["0 < s1 <= 8", "(0 < s1) and (s1 <= 8)"],
    ["not s1 == 2 or s2 > 1 and s3 > 1", "(not (s1 == 2)) or ((s2 > 1) and (s3 > 1))"],
    ["(s1 if s1 > 2 else s2) == 3", "(s1 if (s1 > 2) else s2) == 3"],
    ["s1 & 1 == 0", "s1 & 1 == 0"],
    ["s1 >> 1 == 4", "(s1 // (2 ** 1)) == 4"],
    ["max(1, s1, s2) == min(s1, 5)", "max(1, s1, s2) == min(s1, 5)"],
    ["math.ceil(s1 / 3) == math.trunc(0.5*torch.sym_float(s1))", "ceil(s1 / 3) == trunc(0.5*s1)"],
    ["Eq(Mod(s1, 2), 0)", "(s1 % 2) == 0"],
    ["FloorDiv(s1, 2) != CleanDiv(s2, 2)", "(s1 // 2) != (s2 // 2)"],
    ["L['d']['l'][0].size()[0] == L['d'].q.shape[-1]", "['d']['l'][0].size.0 == ['d'].q.size.-1"],
    ["L['x'].size(2) > L['x'].stride()[0] + L['x'].storage_offset()", "['x'].size.2 > (['x'].stride.0 + 0)"],
    ['L["n"] >= 4', "['n'] >= 4"],
  ];
  for (const [text, want] of cases.filter(([text]) => text !== "s1 & 1 == 0"))
    assert.equal(understood(text), want, text);
  // Comparisons bind more loosely than `&` in Python.
  assert.equal(understood("s1 & 1 == 0"), "(s1 & 1) == 0");
});

test("what is not a guard is not guessed at", () => {
  const texts = [
    "",
    "s1 ==",
    "(s1 > 1",
    "s1 > 1)",
    "__import__('os').system('true')",
    "L['x'].size()",
    "L['x'].size()[0",
    "unknown(s1) == 1",
    "s1 = 2",
    "lambda: 1",
    "max() == 1",
    "Mod(s1) == 0",
    "t5 > 1",
    "s1 > 'a'",
    `${"(".repeat(5000)}s1${")".repeat(5000)}`,
    `${"2 ** ".repeat(50_000)}s1`,
    `s1${" + s1".repeat(15_000)}`,
    `s1${" >> s1".repeat(15_000)}`,
    `${"s1 < ".repeat(100_000)}s1`,
  ];
  for (const text of texts) assert.equal(understood(text), undefined, text.slice(0, 40));
});
