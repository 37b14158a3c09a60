const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Length, type and checksum of a chunk. */
const CHUNK_BYTES = 12;
/** Compressed or not: words about the picture, and colour profiles, which are not followed. */
const TEXTS: ReadonlySet<string> = new Set(["tEXt", "zTXt", "iTXt", "iCCP"]);

/**
 * A PNG file without its texts and profiles, any other file as it is. Their decoder inflates each of them, as many as there are and however large, and no
 * limit of pixels holds it back.
 */
export function withoutTexts(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!file.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return bytes;
  const kept: Buffer[] = [];
  let from = 0;
  for (let at = SIGNATURE.length; at + CHUNK_BYTES <= file.length; ) {
    const next = at + CHUNK_BYTES + file.readUInt32BE(at);
    if (TEXTS.has(file.toString("latin1", at + 4, at + 8))) {
      kept.push(file.subarray(from, at));
      from = Math.min(next, file.length);
    }
    at = next;
  }
  return kept.length === 0 ? bytes : Buffer.concat([...kept, file.subarray(from)]);
}
