import assert from "node:assert/strict";
import { test } from "node:test";
import { gatherAtMost } from "./gather-at-most.ts";

test("what comes is gathered up to a limit; of a source without an end no more is read", async () => {
  let isEnded = false;
  let made = 0;
  async function* source(count: number): AsyncGenerator<Uint8Array> {
    try {
      for (; made < count; made++) yield Buffer.from("abcd");
    } finally {
      isEnded = true;
    }
  }
  assert.equal((await gatherAtMost(source(3), 12))?.toString(), "abcdabcdabcd");
  made = 0;
  assert.equal(await gatherAtMost(source(Number.POSITIVE_INFINITY), 12), undefined);
  assert.equal(made, 3);
  assert.equal(isEnded, true, "the source is ended");
});
