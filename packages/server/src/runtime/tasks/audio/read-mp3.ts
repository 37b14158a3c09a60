import { bad } from "../read-request.ts";
import { type Sound, SoundDraft } from "./sound-draft.ts";

const PACKAGE = "mpg123-decoder";
/** A second of the lowest rate of MP3 is 1000 bytes: what one step decodes is bounded. */
const STEP_BYTES = 16 * 1024;
const MAX_RATE = 48_000;

/** Whether it begins with a tag (ID3), or with a frame of MPEG audio. */
export function isMp3(bytes: Uint8Array): boolean {
  if (bytes.byteLength < 4) return false;
  if (Buffer.from(bytes.buffer, bytes.byteOffset, 3).toString("latin1") === "ID3") return true;
  const [first, second, third] = bytes;
  const isFrame = first === 0xff && (second! & 0xe0) === 0xe0 && (second! & 0x18) !== 0x08;
  // A layer, a bit rate and a rate that are not reserved.
  return isFrame && (second! & 0x06) !== 0 && third! >>> 4 !== 15 && (third! & 0x0c) !== 0x0c;
}

/**
 * Reads an MP3 file, by a package that those install who need it. Decodes step by step, so that what a file becomes is limited before it takes memory. Rejects
 * with `invalid_argument`, also when the package is not there.
 */
export async function readMp3(bytes: Uint8Array): Promise<Sound> {
  const { MPEGDecoder } = await loadDecoder();
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    let sound: SoundDraft | undefined;
    let rate = 0;
    for (let at = 0; at < bytes.length; at += STEP_BYTES) {
      const decoded = decoder.decode(bytes.subarray(at, at + STEP_BYTES));
      const { channelData, samplesDecoded, sampleRate } = decoded;
      if (samplesDecoded === 0) continue;
      if (rate !== 0 && sampleRate !== rate) throw notMp3("its rate changes");
      if (!(sampleRate > 0 && sampleRate <= MAX_RATE)) throw notMp3(`it has ${sampleRate} samples a second`);
      rate = sampleRate;
      sound ??= new SoundDraft(rate, notMp3);
      sound.add(channelData, samplesDecoded, 1);
    }
    if (sound === undefined) throw notMp3("there is no sound in it");
    return sound.finish();
  } finally {
    decoder.free();
  }
}

async function loadDecoder(): Promise<typeof import("mpg123-decoder")> {
  try {
    return await import("mpg123-decoder");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw bad(
      "input",
      `an MP3 file is read by the package ${PACKAGE}, which this server does not have (npm install ${PACKAGE}); send WAV or FLAC`,
    );
  }
}

function notMp3(why: string): Error {
  return bad("input", `not an MP3 file that can be read: ${why}`);
}
