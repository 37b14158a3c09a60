import type { Random } from "./random.ts";

const MOST_FLIPS = 8;
const BLOCK_BYTES = 4096;
/** Values at which sizes and counts overflow, or stop fitting. */
const EDGES: readonly number[] = [
  0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];
const ZIP_HEADERS: readonly string[] = ["PK\x01\x02", "PK\x03\x04", "PK\x05\x06", "PK\x06\x06", "PK\x06\x07"];
/** What lies behind a signature of a zip: versions, flags, method, checksum, sizes, counts, offsets. */
const ZIP_HEADER_BYTES = 46;

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

/** How a file breaks: on a bad disk, in a copy that was cut short, in two copies at once, by an attacker. */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "flipped bits": (bytes, random) => {
    for (let flips = random.integer(1, MOST_FLIPS); flips > 0; flips--) {
      const at = placeIn(bytes, random);
      bytes[at]! ^= 1 << random.integer(0, 7);
    }
    return bytes;
  },
  "changed number": (bytes, random) => {
    const at = placeIn(bytes, random);
    const width = random.pick([1, 2, 4]);
    if (at + width > bytes.length) return bytes;
    bytes.writeUIntLE(random.pick(EDGES) % 2 ** (8 * width), at, width);
    return bytes;
  },
  truncated: (bytes, random) => bytes.subarray(0, random.integer(0, bytes.length - 1)),
  "swapped blocks": (bytes, random) => {
    const [a, b] = [blockIn(bytes, random), blockIn(bytes, random)];
    const length = Math.min(a.length, b.length);
    const kept = Buffer.from(a.subarray(0, length));
    b.copy(a, 0, 0, length);
    kept.copy(b);
    return bytes;
  },
  "lost block": (bytes, random) => {
    const at = random.integer(0, bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.integer(1, BLOCK_BYTES))]);
  },
  "empty block": (bytes, random) => {
    blockIn(bytes, random).fill(random.pick([0, 0xff]));
    return bytes;
  },
  "block of another file": (bytes, random, other) => {
    blockIn(other, random).copy(bytes, random.integer(0, bytes.length));
    return bytes;
  },
  "two files in one": (bytes, random, other) =>
    Buffer.concat([
      bytes.subarray(0, random.integer(0, bytes.length)),
      other.subarray(random.integer(0, other.length)),
    ]),
  "something behind it": (bytes, random, other) =>
    Buffer.concat([bytes, other.subarray(0, random.integer(1, other.length))]),
  "changed zip header": (bytes, random) => {
    const headers = ZIP_HEADERS.flatMap((signature) => placesOf(bytes, signature));
    if (headers.length === 0) return bytes;
    const at = random.pick(headers) + random.integer(4, ZIP_HEADER_BYTES);
    if (at + 4 > bytes.length) return bytes;
    bytes.writeUInt32LE(random.pick(EDGES), at);
    return bytes;
  },
};

/** One change of a kind that the seed picks, seldom more; `other`: a file to take parts of. */
export function mutateFile(
  file: Uint8Array,
  random: Random,
  other: Uint8Array,
): { readonly bytes: Uint8Array; readonly how: string } {
  const hows: string[] = [];
  let bytes: Buffer = Buffer.from(file);
  do {
    const how = random.pick(Object.keys(MUTATIONS));
    hows.push(how);
    if (bytes.length > 0) bytes = MUTATIONS[how]!(bytes, random, Buffer.from(other));
  } while (random.next() < 0.2);
  return { bytes, how: hows.join(", ") };
}

/** Anywhere, or near a name: most bytes of a model are weights, and a change there is no damage that can be seen. */
function placeIn(bytes: Buffer, random: Random): number {
  const at = random.integer(0, bytes.length - 1);
  if (random.next() < 0.3) return at;
  for (let step = 0; step < bytes.length; step++) {
    const near = (at + step) % bytes.length;
    if (isName(bytes, near)) return Math.max(0, near - random.integer(0, 8));
  }
  return at;
}

function isName(bytes: Buffer, at: number): boolean {
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i] ?? 0;
    const isLetter = (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f || byte === 0x2e;
    if (!isLetter) return false;
  }
  return true;
}

function blockIn(bytes: Buffer, random: Random): Buffer {
  const at = random.integer(0, bytes.length - 1);
  return bytes.subarray(at, at + random.integer(1, BLOCK_BYTES));
}

function placesOf(bytes: Buffer, signature: string): number[] {
  const places: number[] = [];
  for (
    let at = bytes.indexOf(signature, 0, "latin1");
    at >= 0;
    at = bytes.indexOf(signature, at + 1, "latin1")
  ) {
    places.push(at);
  }
  return places;
}
