import assert from "node:assert/strict";
import { test } from "node:test";
import { readyReport } from "./banner.ts";

test("a folder's name with an escape sequence shows in the table of models as text", () => {
  const report = readyReport(
    {
      url: "http://127.0.0.1:1",
      models: () => [{ name: "a\u001b[2J\nb", version: "1", state: "UNAVAILABLE", reason: "no\u0007 model" }],
    } as unknown as Parameters<typeof readyReport>[0],
    1,
  );
  assert.match(report, /a\\x1b\[2J\\nb {2}1 {3}UNAVAILABLE: no\\x07 model/);
});
