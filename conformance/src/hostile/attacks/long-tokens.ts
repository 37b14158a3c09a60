import { type Attack, exchange, inferPost, statusesOf, type Target } from "../attack.ts";
import { grpcCall } from "../http2-frames.ts";

const MIB = 1024 * 1024;

/** A token of `n` characters at every place that somebody reads. */
const BODIES: ReadonlyArray<readonly [name: string, body: (n: number) => string]> = [
  ["digits", (n) => data("9".repeat(n))],
  ["digits behind the point", (n) => data(`0.${"1".repeat(n)}`)],
  ["an exponent", (n) => data(`1e${"1".repeat(n)}`)],
  ["zeros before the point", (n) => data(`${"0".repeat(n)}1`)],
  ["spaces in an array", (n) => data(`${" ".repeat(n)}1`)],
  ["spaces before the text", (n) => `${" ".repeat(n)}{}`],
  ["spaces behind the text", (n) => `{}${" ".repeat(n)}`],
  ["a key", (n) => `{"${"k".repeat(n)}":1}`],
  ["a name", (n) => `{"inputs":[{"name":"${"n".repeat(n)}","shape":[1],"datatype":"FP32","data":[1]}]}`],
  ["escapes", (n) => `{"id":"${"\\u0041".repeat(n / 6)}","inputs":[]}`],
  ["backslashes", (n) => `{"id":"${"\\\\".repeat(n / 2)}`],
  ["a text without end", (n) => `{"id":"${"x".repeat(n)}`],
  ["brackets", (n) => "[".repeat(n)],
  ["braces", (n) => '{"a":'.repeat(n / 5)],
  ["commas", (n) => data(",".repeat(n))],
  ["minus signs", (n) => data("-".repeat(n))],
  [
    "a shape",
    (n) => `{"inputs":[{"name":"x","shape":[${"1,".repeat(n / 2)}1],"datatype":"FP32","data":[1]}]}`,
  ],
  ["tensors", (n) => `{"inputs":[${"{},".repeat(n / 3)}{}]}`],
  ["a parameter", (n) => `{"parameters":{"timeout":${"1".repeat(n)}},"inputs":[]}`],
  [
    "base64",
    (n) => `{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":[{"b64":"${"A".repeat(n)}"}]}]}`,
  ],
  ["broken UTF-8", (n) => `{"id":"${"\xff".repeat(n / 2)}`],
];

function data(value: string): string {
  return `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[${value}]}]}`;
}

const HEADS: ReadonlyArray<readonly [name: string, head: (n: number) => string]> = [
  ["a URL", (n) => `GET /${"u".repeat(n)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ["a URL of slashes", (n) => `GET ${"/".repeat(n)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ["a URL of percent signs", (n) => `GET /${"%41".repeat(n / 3)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ["a method", (n) => `${"G".repeat(n)} /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ["a header's name", (n) => `GET /v2 HTTP/1.1\r\nHost: localhost\r\n${"h".repeat(n)}: 1\r\n\r\n`],
  ["a header's value", (n) => `GET /v2 HTTP/1.1\r\nHost: localhost\r\nX-H: ${"v".repeat(n)}\r\n\r\n`],
  ["headers", (n) => `GET /v2 HTTP/1.1\r\nHost: localhost\r\n${"X-H: 1\r\n".repeat(n / 8)}\r\n`],
  ["a host", (n) => `GET /v2 HTTP/1.1\r\nHost: ${"h".repeat(n)}\r\n\r\n`],
  [
    "a deadline",
    (n) => `GET /v2 HTTP/1.1\r\nHost: localhost\r\nx-request-timeout-ms: ${"9".repeat(n)}\r\n\r\n`,
  ],
];

/** Messages that are a field, or the beginning of one, again and again. Numbers are those of ModelInferRequest. */
const MESSAGES: ReadonlyArray<readonly [name: string, message: (n: number) => Buffer]> = [
  ["a model's name", (n) => field(1, Buffer.alloc(n, 0x6d))],
  ["an id", (n) => field(3, Buffer.alloc(n, 0x69))],
  [
    "a parameter's name",
    (n) => field(4, Buffer.concat([field(1, Buffer.alloc(n, 0x70)), field(2, Buffer.from([8, 1]))])),
  ],
  ["a datatype", (n) => field(5, field(2, Buffer.alloc(n, 0x64)))],
  ["a shape", (n) => field(5, field(3, Buffer.alloc(n, 1)))],
  ["inputs", (n) => repeated([0x2a, 0], n)],
  ["outputs", (n) => repeated([0x32, 0], n)],
  ["raw contents", (n) => repeated([0x3a, 0], n)],
  [
    "elements",
    (n) => field(5, Buffer.concat([field(2, Buffer.from("BYTES")), field(5, repeated([0x42, 0], n))])),
  ],
  [
    "numbers",
    (n) => field(5, Buffer.concat([field(2, Buffer.from("INT64")), field(5, field(3, Buffer.alloc(n, 1)))])),
  ],
  ["groups", (n) => Buffer.alloc(n, 0x0b)],
  ["a number without end", (n) => Buffer.alloc(n, 0xff)],
  ["unknown fields", (n) => repeated([0x78, 1], n)],
  ["nothing known", (n) => field(99, Buffer.alloc(n))],
];

function field(number: number, contents: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(contents.length), contents]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

function repeated(bytes: readonly number[], n: number): Buffer {
  return Buffer.alloc(n, Buffer.from(bytes));
}

export const longTokens: readonly Attack[] = [
  ...BODIES.map(([name, body]) => attack(`JSON: ${name}`, (target) => inferPost(target, body(MIB)))),
  ...HEADS.map(([name, head]) => attack(`HTTP: ${name}`, () => Buffer.from(head(MIB / 4), "latin1"))),
  ...HEADS.map(([name, head]) => attack(`HTTP: ${name}, of 1 KiB`, () => Buffer.from(head(1024), "latin1"))),
  ...MESSAGES.map(
    ([name, message]): Attack => ({
      group: "long tokens",
      name: `gRPC: ${name}`,
      holds: "a status that blames the client or asks for patience, and nobody waits",
      async run(target) {
        const status = await grpcCall(target, { message: message(MIB) });
        return ["3", "5", "8", "14"].includes(status) ? "" : `status ${status}`;
      },
    }),
  ),
];

function attack(name: string, bytes: (target: Target) => Buffer): Attack {
  return {
    group: "long tokens",
    name,
    holds: "one answer that is no success of an inference, and nobody waits",
    async run(target) {
      const heard = await exchange(target, [bytes(target)], {
        withinMs: 60_000,
        isEnough: (text) => text.endsWith("}"),
      });
      const statuses = statusesOf(heard);
      if (statuses.some((status) => status >= 500 && status !== 503))
        return `answered with ${statuses.join(", ")}`;
      // Bytes that are still on their way when it closes may cost the client its answer.
      return statuses.length === 1 || heard.isClosed ? "" : `${statuses.length} answers`;
    },
  };
}
