import { bad } from "../read-request.ts";
import { MAX_SAMPLES, type Sound } from "./sound-draft.ts";

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const MAX_CHANNELS = 16;
const MAX_RATE = 384_000;
const HEAD_BYTES = 12;

interface Format {
  readonly code: number;
  readonly channels: number;
  readonly rate: number;
  readonly bits: number;
  /** Bytes of one sample of all channels. */
  readonly align: number;
}

/** Reads a WAV file of whole numbers (8, 16, 24 or 32 bits) or floats (32 or 64). Throws `invalid_argument`. */
export function readWav(bytes: Uint8Array): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < HEAD_BYTES || word(view, 0) !== "RIFF" || word(view, 8) !== "WAVE")
    throw notWav(
      "it does not begin like one; FLAC and MP3 are read as well; convert other kinds of sound (ffmpeg -i in.ogg out.wav)",
    );
  let format: Format | undefined;
  for (let at = HEAD_BYTES; at + 8 <= view.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (word(view, at) === "fmt ") format = readFormat(view, start, size);
    if (word(view, at) === "data") {
      if (format === undefined) throw notWav("its data come before their format");
      // A recorder that was stopped, or a stream, says too much.
      const length = Math.min(size, view.byteLength - start);
      return { rate: format.rate, samples: readSamples(view, { start, length }, format) };
    }
    at = start + size + (size % 2);
  }
  throw notWav("it has no data");
}

function readFormat(view: DataView, at: number, size: number): Format {
  if (size < 16 || at + size > view.byteLength) throw notWav("its format is cut short");
  const tag = view.getUint16(at, true);
  const code = tag === EXTENSIBLE && size >= 26 ? view.getUint16(at + 24, true) : tag;
  const channels = view.getUint16(at + 2, true);
  const rate = view.getUint32(at + 4, true);
  const align = view.getUint16(at + 12, true);
  const bits = view.getUint16(at + 14, true);
  const isKnown =
    (code === PCM && [8, 16, 24, 32].includes(bits)) || (code === FLOAT && [32, 64].includes(bits));
  if (!isKnown) throw notWav(`format ${code} with ${bits} bits is not known here`);
  if (channels < 1 || channels > MAX_CHANNELS) throw notWav(`it has ${channels} channels`);
  if (rate < 1 || rate > MAX_RATE) throw notWav(`it has ${rate} samples a second`);
  if (align !== (channels * bits) / 8) throw notWav("its sizes contradict each other");
  return { code, channels, rate, bits, align };
}

function readSamples(
  view: DataView,
  { start, length }: { readonly start: number; readonly length: number },
  format: Format,
): Float32Array {
  const { channels, align } = format;
  const count = Math.floor(length / align);
  if (count === 0) throw notWav("there is no sound in it");
  if (count > MAX_SAMPLES) throw notWav(`it is longer than ${MAX_SAMPLES} samples`);
  const read = readerOf(view, format);
  const width = align / channels;
  const samples = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += read(start + i * align + c * width);
    samples[i] = sum / channels;
  }
  return samples;
}

/** One sample from −1 to 1, scaled as ffmpeg scales. */
function readerOf(view: DataView, { code, bits }: Format): (at: number) => number {
  if (code === FLOAT)
    return bits === 32 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  switch (bits) {
    case 8:
      return (at) => (view.getUint8(at) - 128) / 2 ** 7;
    case 16:
      return (at) => view.getInt16(at, true) / 2 ** 15;
    case 24:
      return (at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 2 ** 23;
    default:
      return (at) => view.getInt32(at, true) / 2 ** 31;
  }
}

function word(view: DataView, at: number): string {
  return String.fromCharCode(
    view.getUint8(at),
    view.getUint8(at + 1),
    view.getUint8(at + 2),
    view.getUint8(at + 3),
  );
}

export function notWav(why: string): Error {
  return bad("input", `not a WAV file that can be read: ${why}`);
}
