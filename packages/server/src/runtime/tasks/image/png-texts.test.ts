import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { decodeImage } from "./decode-image.ts";
import { withoutTexts } from "./png-texts.ts";

const png = await sharp({ create: { width: 3, height: 2, channels: 3, background: "red" } })
  .png()
  .toBuffer();
/** Behind the signature and the head. */
const PLACE = 8 + 12 + 13;

function withChunk(type: string, data: Buffer): Buffer {
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  const chunk = Buffer.concat([length, Buffer.from(type, "latin1"), data, sum]);
  return Buffer.concat([png.subarray(0, PLACE), chunk, png.subarray(PLACE)]);
}

test("a PNG loses its texts and profiles, of any size, and nothing else", () => {
  for (const type of ["tEXt", "zTXt", "iTXt", "iCCP"])
    for (const size of [0, 1, 1000]) assert.deepEqual(withoutTexts(withChunk(type, Buffer.alloc(size))), png);
  const kept = withChunk("eXIf", Buffer.alloc(8));
  assert.equal(withoutTexts(kept), kept);
  assert.equal(withoutTexts(png), png);
});

test("what is no PNG, or one that ends early, comes back without what was there of its texts", () => {
  const none = Buffer.from("RIFF tEXt");
  assert.equal(withoutTexts(none), none);
  for (let end = 0; end < png.length; end++)
    assert.deepEqual(withoutTexts(png.subarray(0, end)), png.subarray(0, end));
  const cut = withChunk("zTXt", Buffer.alloc(100)).subarray(0, PLACE + 50);
  assert.deepEqual(withoutTexts(cut), png.subarray(0, PLACE));
});

test("the pixels of a picture are the same whatever its texts would become", async () => {
  const bomb = withChunk("zTXt", Buffer.concat([Buffer.from("a\0\0"), deflateSync(Buffer.alloc(2 ** 20))]));
  assert.deepEqual(await decodeImage(bomb), await decodeImage(png));
});
