import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_REST_LIMITS } from "../../rest-limits.ts";
import { type FastHead, HeadMemory, readFastHead } from "./fast-head.ts";
import { difference, fuzzFastHead, readAsFastLane, readAsNode } from "./fast-head-fuzz.kit.ts";

const read = (text: string, limits = {}): ReturnType<typeof readFastHead> =>
  readFastHead(Buffer.from(text, "latin1"), 0, { ...DEFAULT_REST_LIMITS, ...limits });
const HEAD = "POST /predict/digits HTTP/1.1\r\nHost: a:80\r\nX-Tag: one two\r\nContent-Length: 12\r\n\r\n";

test("a plain request is read", () => {
  const head = read(HEAD) as FastHead;
  assert.deepEqual(
    { ...head },
    {
      method: "POST",
      url: "/predict/digits",
      httpVersion: "1.1",
      headers: { host: "a:80", "x-tag": "one two", "content-length": "12" },
      rawHeaders: ["Host", "a:80", "X-Tag", "one two", "Content-Length", "12"],
      isLast: false,
      contentLength: 12,
      bytes: HEAD.length,
    },
  );
  assert.equal((read(HEAD.replace("X-Tag: one two", "connection: Close")) as FastHead).isLast, true);
});

test("every beginning of a plain request may go on", () => {
  for (let length = 1; length < HEAD.length; length++)
    assert.equal(read(HEAD.slice(0, length)), "incomplete", JSON.stringify(HEAD.slice(0, length)));
});

test("whatever parsers may read in two ways is left to Node", () => {
  const header = (line: string): string => HEAD.replace("X-Tag: one two", line);
  const unusual = [
    HEAD.replaceAll("\r\n", "\n"),
    `\r\n${HEAD}`,
    HEAD.replace("HTTP/1.1", "HTTP/1.0"),
    HEAD.replace("POST", "PUT"),
    HEAD.replace("POST", "GET"),
    HEAD.replace("/predict", "/predict%2f"),
    HEAD.replace("/digits", "/digits?a=b"),
    HEAD.replace("/predict", "http://a/predict"),
    HEAD.replace("/digits ", "/digits  "),
    HEAD.replace("Host: a:80\r\n", ""),
    HEAD.replace("Content-Length: 12\r\n", ""),
    HEAD.replace("12", "+12"),
    HEAD.replace("12", "012"),
    HEAD.replace("12", "12, 12"),
    HEAD.replace("12", "123456789"),
    header("Content-Length: 12"),
    header("content-length: 12"),
    header("Host: b"),
    header("Transfer-Encoding: chunked"),
    header("Transfer-Encoding: identity"),
    header("Expect: 100-continue"),
    header("Upgrade: h2c"),
    header("Connection: keep-alive, x"),
    header("Content-Encoding: gzip"),
    header("X-Tag : a"),
    header("X-Tag:  a"),
    header("X-Tag: a "),
    header("X-Tag:"),
    header("X_Tag: a"),
    header("X-Tag: \x80"),
    header("X-Tag: a\tb"),
    header(" folded"),
    header("X-Tag: a\rb"),
  ];
  for (const text of unusual) assert.equal(read(text), "unusual", JSON.stringify(text));
});

test("limits hold at their border", () => {
  assert.equal(typeof read(HEAD, { maxHeaderBytes: HEAD.length, maxHeaders: 3, maxUrlBytes: 15 }), "object");
  assert.equal(read(HEAD, { maxHeaderBytes: HEAD.length - 1 }), "unusual");
  assert.equal(read(HEAD, { maxHeaders: 2 }), "unusual");
  assert.equal(read(HEAD, { maxUrlBytes: 14 }), "unusual");
  assert.equal(read(HEAD.slice(0, 40), { maxHeaderBytes: 40 }), "unusual");
});

test("the same head with another length is recalled; a longer, shorter or other one is not", () => {
  const memory = new HeadMemory<FastHead>();
  assert.equal(memory.recall(Buffer.from(HEAD), 0), undefined);
  memory.keep(read(HEAD) as FastHead, Buffer.from(HEAD), 0);
  for (const length of ["0", "7", "12", "4711", "12345678"]) {
    const text = `..${HEAD.replace("12", length)}body`;
    const head = memory.recall(Buffer.from(text), 2);
    assert.equal(head?.contentLength, Number(length));
    assert.equal(head?.headers["content-length"], length);
    assert.equal(head?.bytes, text.length - 6);
  }
  for (const other of ["", "00", "012", "123456789", "1x", "+1", "1 ", "-1"])
    assert.equal(memory.recall(Buffer.from(HEAD.replace("12", other)), 0), undefined, other);
  assert.equal(memory.recall(Buffer.from(HEAD.replace("one", "two")), 0), undefined);
  assert.equal(memory.recall(Buffer.from(HEAD.slice(0, -1)), 0), undefined);
});

test("smuggled requests: what the fast lane takes, Node reads the same", () => {
  const second = "GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n";
  const lengths = [
    "",
    "Content-Length: 2\r\n",
    "Content-Length: 2\r\nContent-Length: 3\r\n",
    "Content-Length:2\r\n",
  ];
  const codings = [
    "",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding: xchunked\r\n",
  ];
  for (const length of lengths) {
    for (const coding of codings) {
      const text = `POST /predict/d HTTP/1.1\r\nHost: a\r\n${length}${coding}\r\n{}${second}`;
      assert.equal(difference(Buffer.from(text)), undefined, JSON.stringify(text));
    }
  }
  const two = Buffer.from(`POST /predict/d HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}${second}`);
  assert.deepEqual(readAsFastLane(two).requests, readAsNode(two));
});

test("30,000 mutated requests: none is taken that Node refuses or reads differently", () => {
  const { findings, accepted, recalled } = fuzzFastHead({ seed: 12, count: 30_000 });
  assert.deepEqual(findings, []);
  assert.ok(accepted > 10_000 && recalled > 1000, `${accepted} taken, ${recalled} of them recalled`);
});
