import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BlockingFrameReader } from "./blocking-frame-reader.ts";
import { align8, FRAME_KINDS, type FrameLimits, PREFIX_BYTES, writeFrameHead } from "./frame.ts";
import { type OutgoingFrame, packFrame } from "./frame-writer.ts";

const LIMITS: FrameLimits = { maxHeaderBytes: 1 << 20, maxPayloadBytes: 2 ** 40 };

/** Payload sizes on both sides of what is read with whatever follows, and of what is kept. */
const frame: fc.Arbitrary<OutgoingFrame> = fc.record({
  kind: fc.integer({ min: 1, max: 5 }),
  method: fc.integer({ min: 0, max: 255 }),
  id: fc.integer({ min: 0, max: 0xffff_ffff }),
  header: fc.uint8Array({ maxLength: 100 }),
  chunks: fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.integer({ min: 0, max: 200_000 }).map((size) => new Uint8Array(size).fill(size % 251)),
    ),
    { maxLength: 4 },
  ),
});

function wireBytes(frames: readonly OutgoingFrame[]): Buffer {
  return Buffer.concat(frames.flatMap((one) => packFrame(one, Buffer.alloc)));
}

/** A reader of a stream that gives as many bytes at a time as `cuts` says, and notes how far it was read. */
function readerOf(bytes: Uint8Array, cuts: readonly number[] = []) {
  const state = { at: 0, reads: 0 };
  const reader = new BlockingFrameReader(LIMITS, (target, from, length) => {
    assert.ok(from + length <= target.byteLength, "it reads into its block");
    const cut = cuts.length > 0 ? cuts[state.reads % cuts.length]! : length;
    const count = Math.min(length, cut, bytes.byteLength - state.at);
    target.set(bytes.subarray(state.at, state.at + count), from);
    state.at += count;
    state.reads += 1;
    return count;
  });
  return { reader, state };
}

describe("BlockingFrameReader", () => {
  test("any split of the byte stream gives the same frames, then the end", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 8 }),
        (frames, cuts) => {
          const { reader } = readerOf(wireBytes(frames), cuts);
          for (const sent of frames) {
            const received = reader.next();
            assert.ok(received);
            const { kind, method, id } = received;
            assert.deepEqual({ kind, method, id }, { kind: sent.kind, method: sent.method, id: sent.id });
            assert.equal(Buffer.compare(received.header, sent.header), 0);
            assert.equal(Buffer.compare(received.payload, Buffer.concat(sent.chunks)), 0);
            assert.equal(received.payload.byteOffset % 8, 0, "the payload is aligned");
          }
          assert.equal(reader.next(), undefined);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("small frames that wait together cost one read, and share a block with those before", () => {
    const sent = Array.from({ length: 10 }, (_, id) => ({
      kind: FRAME_KINDS.call,
      method: 2,
      id,
      header: new Uint8Array(20),
      chunks: [new Uint8Array(300)],
    }));
    const { reader, state } = readerOf(wireBytes(sent));
    const blocks = new Set(sent.map(() => reader.next()!.payload.buffer));
    assert.equal(blocks.size, 1);
    assert.equal(state.reads, 1);
  });

  test("nothing is read beyond the end of a large frame", () => {
    const large = {
      kind: 2,
      method: 2,
      id: 1,
      header: new Uint8Array(20),
      chunks: [new Uint8Array(600_000)],
    };
    const { reader, state } = readerOf(wireBytes([large, large]));
    const first = reader.next()!.payload.buffer;
    assert.equal(state.at, wireBytes([large]).byteLength);
    assert.equal(reader.next()!.payload.buffer, first, "its block is used again");
  });

  test("a block past 16 MiB is given back", () => {
    const huge = { kind: 2, method: 2, id: 1, header: new Uint8Array(0), chunks: [new Uint8Array(2 ** 24)] };
    const { reader } = readerOf(wireBytes([huge, { ...huge, chunks: [] }]));
    assert.ok(reader.next()!.payload.buffer.byteLength > 2 ** 24);
    assert.ok(reader.next()!.payload.buffer.byteLength < 2 ** 20);
  });

  test("announced lengths past the limits are rejected before anything is allocated", () => {
    const bytes = new Uint8Array(PREFIX_BYTES + align8(0));
    writeFrameHead(bytes, {
      kind: 2,
      method: 0,
      id: 1,
      header: new Uint8Array(0),
      payloadBytes: 2 ** 40 + 1,
    });
    assert.throws(() => readerOf(bytes).reader.next(), { code: "internal", reason: "worker_protocol" });
  });
});
