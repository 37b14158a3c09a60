import assert from "node:assert/strict";
import { test } from "node:test";
import { selectMetrics } from "./select-metrics.ts";

const PAGE = `# HELP a_total What a counts.
# TYPE a_total counter
a_total{name="b"} 1
a_total{name="c d"} 2
# HELP b How long b takes.
# TYPE b histogram
b_bucket{le="1"} 1
b_sum 0.5
b_count 1
# TYPE c gauge
# HELP d 100 of them.
# TYPE d gauge
d 4
# EOF
`;
const lines = (...indices: number[]): string =>
  indices.map((index) => `${PAGE.split("\n")[index]}\n`).join("");

test("a family is selected by its name, or by those of its samples", () => {
  assert.equal(selectMetrics(PAGE, new Set(["a_total"])), lines(0, 1, 2, 3, 13));
  assert.equal(selectMetrics(PAGE, new Set(["b", "d"])), lines(4, 5, 6, 7, 8, 10, 11, 12, 13));
  assert.equal(selectMetrics(PAGE, new Set(["b_count"])), lines(4, 5, 8, 13));
});

test("what is not there, or has no sample, gives nothing", () => {
  for (const name of ["nothing", "", "c", "#", "a", "b_bucket{le=", "100"])
    assert.equal(selectMetrics(PAGE, new Set([name])), lines(13), name);
  assert.equal(selectMetrics("", new Set(["a"])), "");
  assert.equal(selectMetrics("a 1", new Set(["a"])), "a 1");
});
