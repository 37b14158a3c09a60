import { bad } from "../read-request.ts";
import { BitReader } from "./bit-reader.ts";
import { type Sound, SoundDraft } from "./sound-draft.ts";

const SIGNATURE = "fLaC";
const STREAM_INFO_BYTES = 34;
const MAX_CHANNELS = 8;
/** Marks the beginning of a frame: 14 bits of ones and a zero, and a bit that is none. */
const SYNC = 0x7ffc;
/** By their codes in a frame's head; 0: what the stream says. */
const RATES = [0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000];
const DEPTHS = [0, 8, 12, undefined, 16, 20, 24, 32];
const LEFT_SIDE = 8;
const RIGHT_SIDE = 9;
const MID_SIDE = 10;
const FIXED: readonly (readonly number[])[] = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];

interface StreamInfo {
  readonly rate: number;
  readonly bits: number;
}

interface FrameHead {
  readonly samples: number;
  /** As the head has it: independent channels less one, or how two are joined. */
  readonly joint: number;
  readonly channels: number;
  readonly bits: number;
}

export function isFlac(bytes: Uint8Array): boolean {
  return (
    bytes.byteLength > 8 && Buffer.from(bytes.buffer, bytes.byteOffset, 4).toString("latin1") === SIGNATURE
  );
}

/**
 * Reads a FLAC file, whatever its depth, as the format's specification (RFC 9639) has it; checksums are not checked. What is decoded is limited before it is
 * made, since a few bytes may say a long silence. Throws `invalid_argument`.
 */
export function readFlac(bytes: Uint8Array): Sound {
  const reader = new BitReader(bytes, () => notFlac("it is cut short"));
  const info = readStreamInfo(reader);
  const sound = new SoundDraft(info.rate, notFlac);
  while (reader.bytesLeft > 2) {
    const head = readFrameHead(reader, info);
    sound.reserve(head.samples);
    const channels = Array.from({ length: head.channels }, (_, c) =>
      readSubframe(reader, head.samples, head.bits + (hasSideBit(head, c) ? 1 : 0)),
    );
    reader.alignToByte();
    reader.skipBytes(2);
    decorrelate(channels, head.joint);
    sound.add(channels, head.samples, 2 ** (head.bits - 1));
  }
  return sound.finish();
}

function readStreamInfo(reader: BitReader): StreamInfo {
  reader.skipBytes(SIGNATURE.length);
  let info: StreamInfo | undefined;
  for (let isLast = false; !isLast; ) {
    isLast = reader.bits(1) === 1;
    const type = reader.bits(7);
    const length = reader.bits(24);
    const end = reader.bytesLeft - length;
    if (type === 0 && length >= STREAM_INFO_BYTES) {
      reader.skipBytes(10);
      const rate = reader.bits(20);
      reader.bits(3);
      info = { rate, bits: reader.bits(5) + 1 };
      reader.alignToByte();
    }
    reader.skipBytes(reader.bytesLeft - end);
  }
  if (info === undefined || info.rate === 0) throw notFlac("it does not say how it is sampled");
  return info;
}

function readFrameHead(reader: BitReader, info: StreamInfo): FrameHead {
  if (reader.bits(15) !== SYNC) throw notFlac("a frame does not begin where it should");
  reader.bits(1);
  const [size, rate, joint, depth] = [reader.bits(4), reader.bits(4), reader.bits(4), reader.bits(3)];
  reader.bits(1);
  skipNumber(reader);
  const samples = sizeOf(reader, size);
  const ownRate = rateOf(reader, rate) || info.rate;
  reader.skipBytes(1);
  if (ownRate !== info.rate) throw notFlac("its rate changes");
  const bits = DEPTHS[depth] || (depth === 0 ? info.bits : 0);
  if (bits === 0 || joint > MID_SIDE) throw notFlac("a frame's head says what is reserved");
  return { samples, joint, channels: joint < MAX_CHANNELS ? joint + 1 : 2, bits };
}

/** The frame's number, written as UTF-8 writes large characters. */
function skipNumber(reader: BitReader): void {
  const first = reader.bits(8);
  const more = Math.clz32(~(first << 24));
  if (more === 1 || more > 7) throw notFlac("a frame's number is malformed");
  if (more > 1) reader.skipBytes(more - 1);
}

function sizeOf(reader: BitReader, code: number): number {
  if (code === 0) throw notFlac("a frame's head says what is reserved");
  if (code === 1) return 192;
  if (code <= 5) return 576 << (code - 2);
  if (code === 6) return reader.bits(8) + 1;
  return code === 7 ? reader.bits(16) + 1 : 256 << (code - 8);
}

/** 0: what the stream says. */
function rateOf(reader: BitReader, code: number): number {
  if (code < RATES.length) return RATES[code]!;
  if (code === 12) return reader.bits(8) * 1000;
  if (code === 13) return reader.bits(16);
  if (code === 14) return reader.bits(16) * 10;
  throw notFlac("a frame's head says what is reserved");
}

/** The difference of two channels takes one bit more than each. */
function hasSideBit({ joint }: FrameHead, channel: number): boolean {
  return channel === 1 ? joint === LEFT_SIDE || joint === MID_SIDE : joint === RIGHT_SIDE;
}

/** One channel of a frame. Whole numbers of up to 33 bits are exact in float64. */
function readSubframe(reader: BitReader, samples: number, depth: number): Float64Array {
  if (reader.bits(1) !== 0) throw notFlac("a frame is malformed");
  const type = reader.bits(6);
  const wasted = reader.bits(1) === 0 ? 0 : reader.zeros(depth) + 1;
  const bits = depth - wasted;
  if (bits < 1) throw notFlac("a frame is malformed");
  const values = new Float64Array(samples);
  if (type === 0) values.fill(reader.signed(bits));
  else if (type === 1) for (let i = 0; i < samples; i++) values[i] = reader.signed(bits);
  else if (type >= 8 && type < 8 + FIXED.length)
    readPredicted(reader, values, { bits, fixed: FIXED[type - 8]! });
  else if (type >= 32) readPredicted(reader, values, { bits, order: type - 31 });
  else throw notFlac("a frame is of a kind that is reserved");
  if (wasted > 0) for (let i = 0; i < samples; i++) values[i]! *= 2 ** wasted;
  return values;
}

function readPredicted(
  reader: BitReader,
  values: Float64Array,
  {
    bits,
    fixed,
    order = fixed?.length ?? 0,
  }: { readonly bits: number; readonly fixed?: readonly number[]; readonly order?: number },
): void {
  if (order > values.length) throw notFlac("a frame is malformed");
  for (let i = 0; i < order; i++) values[i] = reader.signed(bits);
  let weights = fixed;
  let shift = 0;
  if (weights === undefined) {
    const precision = reader.bits(4) + 1;
    shift = reader.signed(5);
    if (precision === 16 || shift < 0) throw notFlac("a frame says what is reserved");
    weights = Array.from({ length: order }, () => reader.signed(precision));
  }
  readResidual(reader, values, order);
  const scale = 2 ** shift;
  for (let i = order; i < values.length; i++) {
    let sum = 0;
    for (let k = 0; k < order; k++) sum += weights[k]! * values[i - 1 - k]!;
    values[i]! += Math.floor(sum / scale);
  }
}

/** What the prediction missed, in Rice's code, in parts with a parameter each. */
function readResidual(reader: BitReader, values: Float64Array, order: number): void {
  const method = reader.bits(2);
  if (method > 1) throw notFlac("a frame says what is reserved");
  const width = method === 0 ? 4 : 5;
  const partitions = 1 << reader.bits(4);
  const size = values.length / partitions;
  if (!Number.isInteger(size) || size < order) throw notFlac("a frame is malformed");
  let at = order;
  for (let p = 1; p <= partitions; p++) {
    const parameter = reader.bits(width);
    const end = size * p;
    if (parameter === (1 << width) - 1) {
      const plain = reader.bits(5);
      for (; at < end; at++) values[at] = plain === 0 ? 0 : reader.signed(plain);
    } else {
      for (; at < end; at++) {
        const folded = reader.zeros(MAX_ZEROS) * 2 ** parameter + reader.bits(parameter);
        values[at] = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
      }
    }
  }
}

/** No residual has more than 32 bits. */
const MAX_ZEROS = 2 ** 32;

/** Makes two channels of one and what differs. */
function decorrelate([first, second]: readonly Float64Array[], joint: number): void {
  if (joint < LEFT_SIDE) return;
  const [a, b] = [first!, second!];
  for (let i = 0; i < a.length; i++) {
    if (joint === LEFT_SIDE) b[i] = a[i]! - b[i]!;
    else if (joint === RIGHT_SIDE) a[i]! += b[i]!;
    else {
      const right = a[i]! - Math.floor(b[i]! / 2);
      a[i] = right + b[i]!;
      b[i] = right;
    }
  }
}

function notFlac(why: string): Error {
  return bad("input", `not a FLAC file that can be read: ${why}`);
}
