import { readWav } from "./read-wav.ts";
import type { Sound } from "./sound-draft.ts";

/** Reads a sound file by what it begins with: FLAC, MP3, or WAV. Rejects with `invalid_argument`. */
export async function readSound(bytes: Uint8Array): Promise<Sound> {
  const { isFlac, readFlac } = await import("./read-flac.ts");
  if (isFlac(bytes)) return readFlac(bytes);
  const { isMp3, readMp3 } = await import("./read-mp3.ts");
  return isMp3(bytes) ? await readMp3(bytes) : readWav(bytes);
}
