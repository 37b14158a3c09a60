import { crc32, deflateSync } from "node:zlib";

/** What a client sends a model with a task, and what it may be told. */
export interface HostileBody {
  readonly name: string;
  readonly model: "images" | "sounds" | "words" | "many-words" | "code";
  /** Content type. */
  readonly type: string;
  readonly statuses: readonly number[];
  body(): Buffer;
}

/** A picture's head says so many pixels; its data are a few bytes of zeros. */
function png(width: number, height: number, more: readonly Buffer[] = []): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const data = deflateSync(Buffer.alloc(Math.min(4_000_000, (3 * width + 1) * height)));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", head),
    ...more,
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** One pixel again and again. */
function gif(width: number, height: number, frames: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt16LE(width, 0);
  size.writeUInt16LE(height, 2);
  const head = Buffer.concat([
    Buffer.from("GIF89a"),
    size,
    Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255]),
  ]);
  const frame = Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]);
  return Buffer.concat([head, ...new Array<Buffer>(frames).fill(frame), Buffer.from([0x3b])]);
}

interface WavWishes {
  readonly rate?: number;
  readonly channels?: number;
  readonly bits?: number;
  readonly bytes?: number;
  /** What its chunk says, if not the truth. */
  readonly announced?: number;
}

function wav({
  rate = 16_000,
  channels = 1,
  bits = 16,
  bytes = 3_200,
  announced = bytes,
}: WavWishes): Buffer {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(0xffffffff, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt16LE((channels * bits) / 8, 32);
  head.writeUInt16LE(bits, 34);
  head.write("data", 36, "latin1");
  head.writeUInt32LE(announced, 40);
  return Buffer.concat([head, Buffer.alloc(bytes, 1)]);
}

const SVG = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/><text>&x;</text></svg>`;
const TEXT_CHUNKS = (): Buffer[] =>
  new Array<Buffer>(200).fill(
    chunk("zTXt", Buffer.concat([Buffer.from("a\0\0"), deflateSync(Buffer.alloc(8_000_000))])),
  );
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

type Row = readonly [name: string, body: () => Buffer, statuses: readonly number[], type?: string];

const IMAGES: readonly Row[] = [
  ["a PNG of 65,535 × 65,535 pixels", () => png(65_535, 65_535), [400]],
  ["a PNG of 2³¹ − 1 pixels", () => png(2 ** 31 - 1, 1), [400]],
  ["a PNG of no pixels", () => png(0, 0), [400]],
  ["a PNG of 8,000 × 8,000 pixels with data for a few", () => png(8_000, 8_000), [400]],
  ["a PNG with 200 texts of 8 MB", () => png(8, 8, TEXT_CHUNKS()), [200, 400]],
  ["a PNG, cut", () => png(100, 100).subarray(0, 60), [400]],
  [
    "a PNG, and a zip behind it",
    () => Buffer.concat([png(8, 8), Buffer.from("PK\x03\x04polyglot")]),
    [200, 400],
  ],
  ["a GIF of 100,000 frames", () => gif(1, 1, 100_000), [200, 400]],
  ["a GIF that says 65,535 × 65,535", () => gif(65_535, 65_535, 1), [200, 400]],
  ["an SVG with entities", () => Buffer.from(SVG), [400], "image/svg+xml"],
  ["an SVG that says it is a PNG", () => Buffer.from(SVG), [400], "image/png"],
  ["a PDF", () => Buffer.from("%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj"), [400]],
  [
    "a JPEG of markers",
    () => Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(1_000_000, 0xff)]),
    [400],
  ],
  ["a TIFF whose folders are a ring", () => Buffer.from("49492a00080000000000080000000800", "hex"), [400]],
  [
    "a WebP that lies about its length",
    () => Buffer.from("RIFF\xff\xff\xff\x7fWEBPVP8 \xff\xff\xff\x7f", "latin1"),
    [400],
  ],
  [
    "ImageMagick's words",
    () => Buffer.from("push graphic-context\nfill 'url(https://127.0.0.1/x)'"),
    [400],
    "image/png",
  ],
  [
    "base64 of 3 MB with a wrong end",
    () => json({ input: `${"A".repeat(3_000_000)}!` }),
    [400],
    "application/json",
  ],
  ["base64 of nothing", () => json({ input: "" }), [400], "application/json"],
  ["a file of this machine", () => json({ input: "file:///etc/passwd" }), [400], "application/json"],
  [
    "256 pictures that are none",
    () => json({ input: new Array(256).fill("aGk=") }),
    [400],
    "application/json",
  ],
  ["100,000 inputs", () => json({ input: new Array(100_000).fill("") }), [400], "application/json"],
  [
    "a form without an end",
    () => Buffer.from('--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nabc'),
    [400],
    "multipart/form-data; boundary=x",
  ],
  [
    "a form of 100,000 parts",
    () =>
      Buffer.from(`${"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n".repeat(50_000)}--x--\r\n`),
    [400, 413],
    "multipart/form-data; boundary=x",
  ],
  [
    "a boundary of 100 KB",
    () => Buffer.from("x"),
    [400, 415, 431],
    `multipart/form-data; boundary=${"b".repeat(10_000)}`,
  ],
];

const SOUNDS: readonly Row[] = [
  ["a WAV of one sample a second", () => wav({ rate: 1, bytes: 200_000 }), [400]],
  ["a WAV of one sample in 16,000 that is long", () => wav({ rate: 2, bytes: 3_000_000 }), [400]],
  ["a WAV of a rate with nothing in common", () => wav({ rate: 383_987, bytes: 30_000 }), [200]],
  ["a WAV that says it has 4 GiB", () => wav({ announced: 0xffffffff }), [200]],
  ["a WAV of no channels", () => wav({ channels: 0 }), [400]],
  ["a WAV of 65,535 channels", () => wav({ channels: 65_535, bits: 8 }), [400]],
  ["a WAV of no rate", () => wav({ rate: 0 }), [400]],
  ["a WAV of nothing", () => wav({ bytes: 0 }), [400]],
  ["a WAV of empty chunks", () => Buffer.concat([wav({}).subarray(0, 12), Buffer.alloc(3_000_000)]), [400]],
  ["a WAV, cut in its head", () => wav({}).subarray(0, 30), [400]],
  ["an MP3", () => Buffer.from("ID3\x04\0\0\0\0\x7f\x7f"), [400]],
];

const TEXTS: readonly Row[] = [
  ["a text on which the tokenizer's pattern never ends", () => json({ input: `${"a".repeat(64)}!` }), [504]],
  ["a text of 8,000,000 letters", () => json({ input: "b".repeat(8_000_000) }), [400]],
  ["a text of 250,000 spaces", () => json({ input: " ".repeat(250_000) }), [200, 400, 504]],
  [
    "a text of halves of characters",
    () => Buffer.from('{"input":"\\ud800\\ud800\\udc00\\udfff"}'),
    [200, 400],
  ],
];

const HANDLERS: readonly Row[] = [
  ...(
    [
      ["throw", [500]],
      ["throw nothing", [500]],
      ["reject later", [200, 500, 503]],
      ["throw later", [200, 500, 503]],
      ["loop", [504]],
      ["never", [504]],
      ["exit", [503]],
      ["abort", [503]],
      ["kill", [503]],
      ["allocate", [503, 504]],
      ["parent", [200]],
      ["recurse", [500]],
      ["print", [200]],
      ["pollute", [200]],
      ["wrong", [500]],
      ["not numbers", [500]],
      ["getters", [500]],
      ["circular", [200, 500]],
      ["bigint", [200, 500]],
    ] as const
  ).map(
    ([word, statuses]): Row => [
      `a handler: ${word}`,
      () => json({ input: word }),
      statuses,
      "application/json",
    ],
  ),
  [
    "a handler, told of a prototype",
    () =>
      Buffer.from(
        '{"input":{"__proto__":{"a":1},"constructor":{"prototype":1}},"parameters":{"__proto__":{"b":1}}}',
      ),
    [200, 400],
    "application/json",
  ],
  [
    "a handler, told something deep",
    () => Buffer.from(`{"input":${"[".repeat(200_000)}${"]".repeat(200_000)}}`),
    [200, 400, 500, 503],
    "application/json",
  ],
  [
    "a handler, told many keys",
    () => Buffer.from(`{"input":{${Array.from({ length: 200_000 }, (_, i) => `"k${i}":1`).join()}}}`),
    [200, 400, 504],
    "application/json",
  ],
];

const MANY_WORDS: readonly Row[] = [
  [
    "a text of 100,000 words, of a vocabulary of 100,000",
    () => json({ input: "w1 ".repeat(80_000) }),
    [200, 400, 504],
  ],
];

const rowsOf = (model: HostileBody["model"], type: string, rows: readonly Row[]): HostileBody[] =>
  rows.map(([name, body, statuses, own]) => ({ name, model, body, statuses, type: own ?? type }));

/** Bodies that mean to cost their decoder more than they cost their sender, and what handlers do that nobody watches. */
export const HOSTILE_BODIES: readonly HostileBody[] = [
  ...rowsOf("images", "application/octet-stream", IMAGES),
  ...rowsOf("sounds", "audio/wav", SOUNDS),
  ...rowsOf("words", "application/json", TEXTS),
  ...rowsOf("many-words", "application/json", MANY_WORDS),
  ...rowsOf("code", "application/json", HANDLERS),
];
