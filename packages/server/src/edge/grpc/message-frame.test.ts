import assert from "node:assert/strict";
import { test } from "node:test";
import { frameOf, ResponseFrame } from "./message-frame.ts";

test("a response is encoded into its frame, whatever its size, and not copied", () => {
  for (const size of [0, 1, 4000, 5000, 1024 * 1024]) {
    const target = new ResponseFrame(1024 * 1024);
    const block = target.allocate(size).fill(7);
    const frame = target.bytes;
    assert.equal(frame.buffer, block.buffer);
    assert.deepEqual(frame, frameOf(new Uint8Array(size).fill(7)));
    assert.equal(frame.readUInt32BE(1), size);
  }
});

test("a response of n bytes is allocated, one of n + 1 names the option that allows more", () => {
  new ResponseFrame(1000).allocate(1000);
  assert.throws(() => new ResponseFrame(1000).allocate(1001), {
    code: "resource_exhausted",
    reason: "response_too_large",
    message: /1001 bytes is larger than 1000 bytes.*--max-body/,
  });
});
