import { type Attack, exchange, inferPost, statusesOf, type Target } from "../attack.ts";

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

export const longTokens: readonly Attack[] = [
  ...BODIES.map(([name, body]) => attack(`JSON: ${name}`, (target) => inferPost(target, body(MIB)))),
  ...HEADS.map(([name, head]) => attack(`HTTP: ${name}`, () => Buffer.from(head(MIB / 4), "latin1"))),
  ...HEADS.map(([name, head]) => attack(`HTTP: ${name}, of 1 KiB`, () => Buffer.from(head(1024), "latin1"))),
];

function attack(name: string, bytes: (target: Target) => Buffer): Attack {
  return {
    group: "long tokens",
    name,
    holds: "one answer that is no success of an inference, and nobody waits",
    async run(target) {
      const heard = await exchange(target, [bytes(target)], {
        withinMs: 10_000,
        isEnough: (text) => text.endsWith("}"),
      });
      const statuses = statusesOf(heard);
      if (statuses.some((status) => status >= 500)) return `answered with ${statuses.join(", ")}`;
      // Bytes that are still on their way when it closes may cost the client its answer.
      return statuses.length === 1 || heard.isClosed ? "" : `${statuses.length} answers`;
    },
  };
}
