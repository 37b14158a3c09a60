import { type Attack, exchange, type Heard, statusesOf, type Target } from "../attack.ts";

const TEXT = 1;
const CONTINUATION = 0;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const MASKED = 0x80;

function handshake({ model }: Target, more = ""): string {
  const own = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  return `GET /v2/models/${model}/stream HTTP/1.1\r\nHost: localhost\r\n${own}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;
}

/** A short frame, masked with zeros. */
function frame(opcode: number, payload: string, isLast = true): Buffer {
  const head = [(isLast ? 0x80 : 0) | opcode, MASKED | payload.length, 0, 0, 0, 0];
  return Buffer.concat([Buffer.from(head), Buffer.from(payload)]);
}

/** Of a message that goes on. */
function piece(opcode: number): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(65_535);
  return Buffer.concat([
    Buffer.from([opcode, MASKED | 126]),
    size,
    Buffer.alloc(4),
    Buffer.alloc(65_535, 0x20),
  ]);
}

function flood(many: Buffer, last: Buffer): Buffer {
  return Buffer.concat([...new Array<Buffer>(20_000).fill(many), last]);
}

interface Row {
  readonly name: string;
  readonly holds: string;
  parts(target: Target): (string | Buffer)[];
  judge(heard: Heard): string;
}

const isOpened = (heard: Heard): boolean => heard.text.startsWith("HTTP/1.1 101 ");
const closed = (heard: Heard): string => {
  if (!isOpened(heard)) return `no WebSocket was opened: ${heard.text.slice(0, 80)}`;
  return heard.isClosed ? "" : "the connection stays open";
};
const answered =
  (status: number) =>
  (heard: Heard): string => {
    const statuses = statusesOf(heard);
    return statuses.join() === String(status) ? "" : `answered with ${statuses.join() || "nothing"}`;
  };

/** What breaks the protocol, or goes past a limit: the connection ends. */
const BROKEN: ReadonlyArray<readonly [name: string, bytes: (target: Target) => Buffer]> = [
  ["a frame that is not masked", () => Buffer.from([0x81, 1, 0x78])],
  ["a reserved bit", () => Buffer.from([0xc1, MASKED, 0, 0, 0, 0])],
  ["an opcode that nobody knows", () => frame(5, "x")],
  ["a ping in pieces", () => frame(PING, "x", false)],
  ["a continuation of nothing", () => frame(CONTINUATION, "x")],
  ["2⁶³ bytes announced", () => Buffer.from([0x81, MASKED | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
  ["5 MiB announced", () => Buffer.from([0x81, MASKED | 127, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0])],
  [
    "a message in 20,000 frames",
    () =>
      Buffer.concat([
        frame(TEXT, "{", false),
        ...new Array<Buffer>(20_000).fill(frame(CONTINUATION, " ", false)),
      ]),
  ],
  [
    "a message in 1,000,000 frames of a byte, with keys",
    () => {
      const keyed = Buffer.from([CONTINUATION, MASKED | 1, 7, 7, 7, 7, 0x20 ^ 7]);
      return Buffer.concat([frame(TEXT, "{", false), Buffer.alloc(7_000_000, keyed)]);
    },
  ],
  ["text that is not UTF-8", () => Buffer.concat([frame(TEXT, "x").subarray(0, 6), Buffer.from([0xff])])],
  ["a request behind the handshake", () => Buffer.from("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")],
  ["a compressed message that nobody agreed on", () => frame(TEXT | 0x40, "\xaa\x56\x4a")],
  [
    "a ping of 126 bytes",
    () => Buffer.concat([Buffer.from([0x89, MASKED | 126, 0, 126]), Buffer.alloc(130)]),
  ],
  ["20,000 pings, and goodbye", () => flood(frame(PING, ""), frame(CLOSE, ""))],
  ["20,000 pongs, and goodbye", () => flood(frame(PONG, "x"), frame(CLOSE, ""))],
  ["20,000 goodbyes", () => flood(frame(CLOSE, ""), frame(CLOSE, ""))],
  ["a goodbye of one byte", () => frame(CLOSE, "x")],
  ["a goodbye with a code that nobody may send", () => frame(CLOSE, "\u0003\u00ee")],
  [
    "pings between the pieces of a message",
    () => Buffer.concat([frame(TEXT, "{", false), flood(frame(PING, ""), frame(TEXT, "}"))]),
  ],
  [
    "a message, goodbye, and more messages",
    () => Buffer.concat([frame(TEXT, "{}"), frame(CLOSE, ""), flood(frame(TEXT, "{}"), frame(TEXT, "{}"))]),
  ],
  ["noise", ({ random }) => random.bytes(4096)],
];

const ROWS: readonly Row[] = [
  {
    name: "a foreign page",
    holds: "403",
    parts: (target) => [handshake(target, "Origin: https://page.example\r\n")],
    judge: answered(403),
  },
  {
    name: "a model that there is not",
    holds: "404",
    parts: (target) => [handshake({ ...target, model: "nothing" })],
    judge: answered(404),
  },
  {
    name: "an old version of the protocol",
    holds: "400, or that another version is wanted",
    parts: (target) => [handshake(target).replace("Version: 13", "Version: 7")],
    judge: (heard) =>
      /^HTTP\/1\.1 4\d\d /.test(heard.text) ? "" : `answered with ${heard.text.slice(0, 40)}`,
  },
  {
    name: "an upgrade with two lengths",
    holds: "400, or a connection without an answer",
    parts: ({ model }) => [
      `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    ],
    judge: (heard) => (statusesOf(heard).includes(200) ? "a request was smuggled" : ""),
  },
  {
    name: "an offer to compress",
    holds: "it is not taken",
    parts: (target) => [
      handshake(target, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15\r\n"),
      frame(CLOSE, ""),
    ],
    judge: (heard) => (/permessage-deflate/i.test(heard.text) ? "it was taken" : closed(heard)),
  },
  {
    name: "a message that never ends, in pieces of 64 KiB",
    holds: "the connection is closed, and memory stays",
    parts: (target) => [handshake(target), piece(TEXT), ...new Array<Buffer>(200).fill(piece(CONTINUATION))],
    judge: closed,
  },
  ...BROKEN.map(([name, bytes]): Row => {
    return {
      name,
      holds: "the connection is closed",
      parts: (target) => [handshake(target), bytes(target)],
      judge: closed,
    };
  }),
  {
    name: "5,000 messages that say nothing, at once",
    holds: "answered one after the other, and nobody else waits",
    parts: (target) => [
      handshake(target),
      Buffer.concat(new Array<Buffer>(5_000).fill(frame(TEXT, "{}"))),
      frame(8, ""),
    ],
    judge: closed,
  },
];

/** Over WebSockets: broken handshakes, broken frames, floods. */
export const webSockets: readonly Attack[] = ROWS.map(({ name, holds, parts, judge }) => ({
  group: "WebSockets",
  name,
  holds,
  run: async (target) => judge(await exchange(target, parts(target))),
}));
