import assert from "node:assert/strict";
import { test } from "node:test";
import { ServeError } from "../../../base/errors.ts";
import { ARCS_FLAC, arcs, TONE_MP3, WALK_FLAC, walk } from "./encoded-sounds.kit.ts";
import { readSound } from "./read-sound.ts";

const bytesOf = (base64: string): Buffer => Buffer.from(base64, "base64");

test("a FLAC file is what it was made of, bit for bit", async () => {
  const two = await readSound(bytesOf(WALK_FLAC));
  assert.equal(two.rate, 44_100);
  assert.deepEqual(
    two.samples,
    Float32Array.from(walk(), ([left, right]) => (left + right) / 2 ** 24),
  );
  const one = await readSound(bytesOf(ARCS_FLAC));
  assert.equal(one.rate, 8_000);
  assert.deepEqual(
    one.samples,
    Float32Array.from(arcs(), (value) => value / 2 ** 15),
  );
});

test("an MP3 file is the tone that it was made of", async () => {
  const { rate, samples } = await readSound(bytesOf(TONE_MP3));
  assert.equal(rate, 16_000);
  const middle = samples.subarray(2_000, 5_200);
  assert.equal(middle.length, 3_200);
  const loudest = middle.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  assert.ok(loudest > 0.45 && loudest < 0.55, `${loudest}`);
  const rises = middle.filter((sample, i) => i > 0 && middle[i - 1]! < 0 && sample >= 0).length;
  assert.ok(rises >= 99 && rises <= 101, `${rises} periods of 100`);
});

/** Frames of silence, each 16 bytes long and 65,536 samples. */
function silence(frames: number): Buffer {
  const info = Buffer.alloc(42);
  info.write("fLaC", "latin1");
  info.set([0x80, 0, 0, 34], 4);
  // 16 kHz, one channel, 16 bits.
  info.set([0x03, 0xe8, 0x00, 0xf0], 18);
  const frame = Buffer.from([0xff, 0xf8, 0x70, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0, 0, 0, 0]);
  return Buffer.concat([info, ...Array.from({ length: frames }, () => frame)]);
}

test("a FLAC file of a few bytes that says hours of silence is refused before it takes memory", async () => {
  const { rate, samples } = await readSound(silence(2));
  assert.deepEqual([rate, samples.length, samples.every((sample) => sample === 0)], [16_000, 131_072, true]);
  await assert.rejects(readSound(silence(20_000)), /longer than 16777216 samples/);
});

test("an MP3 file that is longer than what is taken is refused step by step", async () => {
  const tone = bytesOf(TONE_MP3);
  const long = Buffer.concat(Array.from({ length: 3_600 }, () => tone));
  await assert.rejects(readSound(long), /longer than 16777216 samples/);
});

test("files that are cut short or changed are sounds, or the client's fault", async () => {
  let state = 1;
  const next = (below: number): number => {
    state = Math.imul(state, 1_103_515_245) + 12_345;
    return ((state >>> 1) >>> 8) % below;
  };
  for (let round = 0; round < 600; round++) {
    const bytes = bytesOf([WALK_FLAC, ARCS_FLAC, TONE_MP3][round % 3]!);
    for (let i = next(4); i >= 0; i--) bytes[next(bytes.length)] = next(256);
    const cut = round % 2 === 0 ? bytes : bytes.subarray(0, next(bytes.length));
    try {
      const { samples } = await readSound(cut);
      assert.ok(samples.length > 0);
    } catch (error) {
      assert.ok(error instanceof ServeError && error.code === "invalid_argument", String(error));
    }
  }
});
