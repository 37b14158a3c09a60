// Tests what somebody reads whose YAML has a mistake: the place, and words for people rather than for parsers.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseYaml } from "./yaml-file.ts";

const MISTAKES: readonly (readonly [text: string, message: RegExp])[] = [
  ["instances 2\n", /^model\.yaml: expected a mapping of keys to values/],
  ["a: 1\ninstances 2\nb: 3", /^model\.yaml: line 2, column 1: expected "key: value"; is the colon/],
  ["instances:2\nthreads: 1", /line 1, column 1: expected "key: value"; is the colon, or the space after it/],
  ["rollout:\n\tshare: 5%", /line 2, column 1: a tab; indent with spaces$/],
  ["share: [1, 2", /line 1, column 13: a bracket is open; expected \]$/],
  ["inputs: {x: 1", /line 1, column 14: a bracket is open; expected \}$/],
  ['task: "x', /line 1, column \d+: a quote is open; expected the closing one$/],
  ["a: 1\na: 2", /line 2, column 1: this key is there twice$/],
  ["a: @x", /line 1, column 4: a value cannot begin with this character; put it in quotes$/],
  ["a: %x", /a value cannot begin with this character/],
  ["a: b: c", /line 1, column 4: a second key on one line/],
  ["a: 1\n  b: 2", /line 1, column 4: a second key on one line, or deeper than the line before/],
  ["a:\n  b: 1\n c: 2", /line 3, column 1: wrong indentation; keys of one mapping begin in one column$/],
  ["a: !t x", /tags \(!\) are not supported/],
  [
    "models: *net",
    /^model\.yaml: \*net is the alias of no anchor; put a text that begins with \* in quotes$/,
  ],
  ['a: "\\q"', /line 1, column 5: double quotes do not know this escape/],
  ["a: 'it's'", /line 1, column 8: this does not belong here; is a quote/],
  ["a: 1\n---\nb: 2", /several documents/],
  ["%FOO\na: 1", /^model\.yaml: line 2, column 1: Missing directives-end/],
];

describe("a mistake in a YAML file", () => {
  for (const [text, message] of MISTAKES)
    test(JSON.stringify(text), () => {
      assert.throws(() => parseYaml(text, "model.yaml"), { code: "invalid_argument", message });
    });
});
