import { type Attack, exchange, type Target } from "../attack.ts";
import {
  callHeaders,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  headerBlock,
  integer,
  PREFACE,
} from "../http2-frames.ts";

const STREAMS = 3_000;
const FRAMES = 20_000;

/** Name, what must hold of the connection, and the bytes behind the preface. */
type Flood = readonly [name: string, isCut: boolean, make: (target: Target) => Buffer[]];

const ping = frame({ type: FRAME.ping, payload: Buffer.alloc(8) });

const FLOODS: readonly Flood[] = [
  ["rapid reset", true, (target) => streams(STREAMS, (stream) => [opening(target, stream), reset(stream)])],
  [
    "a headers frame without end",
    true,
    (target) => continuations(target, FRAMES, Buffer.from([0x10, 1, 0x61, 1, 0x62])),
  ],
  ["continuations of nothing", true, (target) => continuations(target, FRAMES, Buffer.alloc(0))],
  ["an HPACK bomb", true, hpackBomb],
  ["an HPACK integer without end", true, (target) => [headers(1, Buffer.alloc(40, 0xff), target)]],
  ["an index that is not in the table", true, (target) => [headers(1, integer(4000, 7), target)]],
  ["pings", true, () => repeated(FRAMES, ping)],
  ["settings", true, () => repeated(FRAMES, frame({ type: FRAME.settings }))],
  ["settings of nonsense", true, () => [frame({ type: FRAME.settings, payload: Buffer.alloc(5) })]],
  [
    "priorities",
    false,
    () => repeated(FRAMES, frame({ type: FRAME.priority, stream: 1, payload: Buffer.from([0, 0, 0, 3, 1]) })),
  ],
  [
    "empty data",
    false,
    (target) => [opening(target, 1, 0), ...repeated(FRAMES, frame({ type: FRAME.data, stream: 1 }))],
  ],
  [
    "data on a stream that does not exist",
    true,
    () => repeated(100, frame({ type: FRAME.data, stream: 99, payload: Buffer.alloc(100) })),
  ],
  [
    "a window of more than 2^31",
    true,
    () => repeated(3, frame({ type: FRAME.window, payload: Buffer.from([0x7f, 0xff, 0xff, 0xff]) })),
  ],
  ["a window of nothing", true, () => [frame({ type: FRAME.window, payload: Buffer.alloc(4) })]],
  ["a frame of 16 MiB", true, () => [Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])]],
  ["unknown frames", false, () => repeated(FRAMES, frame({ type: 0xbe, payload: Buffer.alloc(16) }))],
  ["more streams than allowed", false, (target) => streams(400, (stream) => [opening(target, stream, 0)])],
  ["streams that go backwards", true, (target) => [opening(target, 9), opening(target, 3)]],
  ["a preface cut short", false, () => []],
];

function opening(target: Target, stream: number, flags = END_STREAM): Buffer {
  return frame({
    type: FRAME.headers,
    flags: END_HEADERS | flags,
    stream,
    payload: headerBlock(callHeaders(target)),
  });
}

function headers(stream: number, payload: Buffer, target: Target): Buffer {
  return frame({
    type: FRAME.headers,
    flags: END_HEADERS,
    stream,
    payload: Buffer.concat([headerBlock(callHeaders(target)), payload]),
  });
}

function reset(stream: number): Buffer {
  return frame({ type: FRAME.reset, stream, payload: Buffer.from([0, 0, 0, 8]) });
}

function streams(count: number, make: (stream: number) => Buffer[]): Buffer[] {
  return [Buffer.concat(Array.from({ length: count }, (_, i) => make(2 * i + 1)).flat())];
}

function repeated(count: number, bytes: Buffer): Buffer[] {
  return [Buffer.concat(Array.from({ length: count }, () => bytes))];
}

function continuations(target: Target, count: number, payload: Buffer): Buffer[] {
  const first = frame({ type: FRAME.headers, stream: 1, payload: headerBlock(callHeaders(target)) });
  return [first, ...repeated(count, frame({ type: FRAME.continuation, stream: 1, payload }))];
}

/** One large field goes into the table, and a byte each means it again. */
function hpackBomb(target: Target): Buffer[] {
  const name = Buffer.from("x-bomb");
  const field = Buffer.concat([
    Buffer.from([0x40]),
    integer(name.length, 7),
    name,
    integer(3500, 7),
    Buffer.alloc(3500, 0x61),
  ]);
  const again = Buffer.alloc(12_000, 0x80 | 62);
  return streams(50, (stream) => [
    headers(stream, stream === 1 ? Buffer.concat([field, again]) : again, target),
  ]);
}

export const http2Floods: readonly Attack[] = FLOODS.map(([name, isCut, make]) => ({
  group: "HTTP/2 floods",
  name,
  holds: isCut ? "the connection is closed, or its streams are refused" : "nobody else notices",
  async run(target) {
    const preface = name === "a preface cut short" ? PREFACE.subarray(0, 20) : PREFACE;
    const heard = await exchange(
      target,
      [preface, ...make(target)],
      isCut ? { withinMs: 60_000, isEnough: isRefused } : { withinMs: 500 },
    );
    return !isCut || heard.isClosed || isRefused(heard.text)
      ? ""
      : "the connection stayed open, and nothing was refused";
  },
}));

/** Whether a GOAWAY, a reset stream or an error status is among the frames that came back. */
function isRefused(text: string): boolean {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at + 9 <= bytes.length; ) {
    const type = bytes[at + 3]!;
    if (type === FRAME.goaway || type === FRAME.reset || type === FRAME.headers) return true;
    at += 9 + bytes.readUIntBE(at, 3);
  }
  return false;
}
