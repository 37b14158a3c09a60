import assert from "node:assert/strict";
import { test } from "node:test";
import { openMetrics } from "./open-metrics.ts";

test("counters lose _total in their heads only, le gets a decimal point, help is escaped, the end is marked", () => {
  const text = `# HELP c_total Counts "things".
# TYPE c_total counter
c_total{m="a"} 3

# HELP odd Counts.
# TYPE odd counter
odd 1
# HELP h_seconds Spreads.
# TYPE h_seconds histogram
h_seconds_bucket{m="d",le="1"} 2
h_seconds_bucket{m="d",le="2.5"} 3
h_seconds_bucket{m="d",le="+Inf"} 4
h_seconds_sum{m="d"} 12
h_seconds_count{m="d"} 4
`;
  assert.equal(
    openMetrics(text),
    `# TYPE c counter
# HELP c Counts \\"things\\".
c_total{m="a"} 3
# TYPE odd unknown
# HELP odd Counts.
odd 1
# TYPE h_seconds histogram
# HELP h_seconds Spreads.
h_seconds_bucket{m="d",le="1.0"} 2
h_seconds_bucket{m="d",le="2.5"} 3
h_seconds_bucket{m="d",le="+Inf"} 4
h_seconds_sum{m="d"} 12
h_seconds_count{m="d"} 4
# EOF
`,
  );
});
