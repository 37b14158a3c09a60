import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import fc from "fast-check";
import { align8, FRAME_KINDS, type Frame, type FrameLimits, PREFIX_BYTES, writeFrameHead } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { type OutgoingFrame, writeFrame } from "./frame-writer.ts";

const LIMITS: FrameLimits = { maxHeaderBytes: 1 << 20, maxPayloadBytes: 1 << 24 };

/** Payload sizes on both sides of the writer's and the reader's thresholds. */
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.integer({ min: 0, max: 200_000 }).map((size) => new Uint8Array(size).fill(size % 251)),
);
const frame: fc.Arbitrary<OutgoingFrame> = fc.record({
  kind: fc.integer({ min: 1, max: 5 }),
  method: fc.integer({ min: 0, max: 255 }),
  id: fc.integer({ min: 0, max: 0xffff_ffff }),
  header: fc.uint8Array({ maxLength: 100 }),
  chunks: fc.array(payload, { maxLength: 4 }),
});

function wireBytes(frames: readonly OutgoingFrame[]): Buffer {
  const stream = new PassThrough({ highWaterMark: 1 << 26 });
  for (const one of frames) writeFrame(stream, one);
  const pieces: Buffer[] = [];
  for (let piece: Buffer | null = stream.read(); piece !== null; piece = stream.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

function assertSame(received: Frame | undefined, sent: OutgoingFrame): void {
  assert.ok(received);
  const { kind, method, id } = sent;
  assert.deepEqual({ kind: received.kind, method: received.method, id: received.id }, { kind, method, id });
  assert.equal(Buffer.compare(received.header, sent.header), 0);
  assert.equal(Buffer.compare(received.payload, Buffer.concat(sent.chunks)), 0);
  assert.equal(received.payload.byteOffset % 8, 0, "the payload is aligned");
}

describe("frames", () => {
  test("any split of the byte stream gives the same frames", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 70_000 })),
        (frames, cuts) => {
          const bytes = wireBytes(frames);
          const received: Frame[] = [];
          const reader = new FrameReader(LIMITS, (one) => received.push(one));
          let at = 0;
          for (let i = 0; at < bytes.byteLength; i++) {
            const end = at + (cuts.length > 0 ? cuts[i % cuts.length]! : bytes.byteLength);
            reader.push(bytes.subarray(at, end));
            at = end;
          }
          assert.equal(received.length, frames.length);
          for (let i = 0; i < frames.length; i++) assertSame(received[i], frames[i]!);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("a frame that is kept is not overwritten by later ones", () => {
    const sent = Array.from({ length: 2000 }, (_, id) => ({
      kind: FRAME_KINDS.result,
      method: 0,
      id,
      header: new Uint8Array(4).fill(id % 256),
      chunks: [new Uint8Array(id % 300).fill((id + 1) % 256)],
    }));
    const received: Frame[] = [];
    const reader = new FrameReader(LIMITS, (one) => received.push(one));
    reader.push(wireBytes(sent));
    for (let i = 0; i < sent.length; i++) assertSame(received[i], sent[i]!);
  });

  test("announced lengths are accepted up to the limits and rejected past them, before anything is allocated", () => {
    const limits = { maxHeaderBytes: 16, maxPayloadBytes: 2 ** 40 };
    const read = (headerBytes: number, payloadBytes: number): void => {
      const bytes = new Uint8Array(PREFIX_BYTES + align8(headerBytes));
      const head = { kind: 2, method: 0, id: 1, header: new Uint8Array(headerBytes), payloadBytes };
      writeFrameHead(bytes, head);
      new FrameReader(limits, () => {}).push(bytes);
    };
    const rejected = { code: "internal", reason: "worker_protocol" };
    read(15, 0);
    read(16, 0);
    assert.throws(() => read(17, 0), rejected);
    assert.throws(() => read(0, 2 ** 40 + 1), rejected);
    assert.throws(
      () =>
        new FrameReader({ ...limits, maxPayloadBytes: 7 }, () => {}).push(
          wireBytes([{ kind: 2, method: 0, id: 1, header: new Uint8Array(0), chunks: [new Uint8Array(8)] }]),
        ),
      rejected,
    );
  });

  test("bytes that are not frame are rejected, whatever they are", () => {
    const good = wireBytes([{ kind: 2, method: 1, id: 1, header: new Uint8Array(0), chunks: [] }]);
    for (const at of [0, 3, 6, 7]) {
      const bad = Buffer.from(good);
      bad[at]! ^= 0xff;
      assert.throws(() => new FrameReader(LIMITS, () => {}).push(bad), { reason: "worker_protocol" });
    }
    for (const kind of [0, 6, 255]) {
      const bad = Buffer.from(good);
      bad[4] = kind;
      assert.throws(() => new FrameReader(LIMITS, () => {}).push(bad), { reason: "worker_protocol" });
    }
  });
});
