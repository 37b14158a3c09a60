import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MessageDecoder } from "./message-decoder.ts";

function framed(size: number, seed: number): Buffer {
  const frame = Buffer.alloc(5 + size);
  frame.writeUInt32BE(size, 1);
  for (let i = 0; i < size; i++) frame[5 + i] = i * 7 + seed;
  return frame;
}

test("messages come out as they went in, however they are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(20), fc.nat(200_000)), { maxLength: 4 }),
      fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 70_000 }))),
      (sizes, cuts) => {
        const frames = sizes.map(framed);
        const wire = Buffer.concat(frames);
        const decoder = new MessageDecoder(200_000);
        const messages: Buffer[] = [];
        for (let at = 0; at < wire.length; ) {
          const end = at + Math.max(cuts.next().value, Math.floor(wire.length / 500));
          messages.push(...decoder.write(wire.subarray(at, end)));
          at = end;
        }
        assert.equal(messages.length, frames.length);
        for (const [index, message] of messages.entries()) assert.ok(message.equals(frames[index]!));
      },
    ),
    { numRuns: 200 },
  );
});

test("a message of the largest size is taken, one byte more is rejected with its prefix, in one piece or two", () => {
  assert.equal(new MessageDecoder(1000).write(framed(1000, 1)).length, 1);
  assert.throws(
    () => new MessageDecoder(1000).write(framed(1001, 1)),
    /1001 bytes is larger than 1000 bytes/,
  );
  const decoder = new MessageDecoder(1000);
  decoder.write(framed(1001, 1).subarray(0, 3));
  assert.throws(() => decoder.write(framed(1001, 1).subarray(3, 5)), /larger than 1000/);
});

test("who only announces a large message gets little memory for it", () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 100 }, () => {
    const decoder = new MessageDecoder(64 * 1024 * 1024);
    decoder.write(framed(1, 1).fill(0xff, 2, 5).fill(3, 1, 2));
    return decoder;
  });
  const taken = process.memoryUsage().arrayBuffers - before;
  assert.ok(decoders.length > 0 && taken < 20 * 1024 * 1024, `${taken} bytes`);
});

test("a message that came in one piece is not copied", () => {
  const wire = Buffer.concat([framed(10, 1), framed(10, 2)]);
  for (const message of new MessageDecoder(100).write(wire)) assert.equal(message.buffer, wire.buffer);
});
