// Tests what an edge process keeps for a server process that does not listen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTeller } from "./bounded-teller.ts";
import type { FromEdge } from "./edge-messages.ts";

const LINE: FromEdge = { kind: "log", level: "info", fields: {}, message: "request" };

test("a server process that does not listen does not fill an edge process with lines of the log", () => {
  const sent: FromEdge[] = [];
  const taken: (() => void)[] = [];
  const tell = createTeller((message, done) => {
    sent.push(message);
    taken.push(done);
  });
  for (let i = 0; i < 12_000; i++) tell(LINE);
  tell({ kind: "closed", ids: [1] });
  assert.equal(sent.length, 10_001, "lines up to the limit, and what is no line");
  for (const done of taken.splice(0)) done();
  const told = sent.slice(10_001);
  assert.deepEqual(told, [
    { kind: "log", level: "warn", fields: { lines: 2000 }, message: "lines of the log were left out" },
  ]);
  tell(LINE);
  assert.equal(sent.at(-1), LINE);
});
