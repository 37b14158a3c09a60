import { deflateSync, gzipSync } from "node:zlib";
import { type Attack, exchange, type Heard, statusesOf, type Target, withoutBase64 } from "../attack.ts";
import { framed } from "../doors.ts";

const SERVICE = "/inference.GRPCInferenceService";
const MIB = 1024 * 1024;
/** What a client, or a server that has enough, is to blame for: invalid argument to unimplemented, never internal or unknown. */
const HONEST: ReadonlySet<string> = new Set(["3", "4", "5", "7", "8", "12", "14", "16"]);
const HONEST_WORDS =
  /"code":"(invalid_argument|deadline_exceeded|not_found|permission_denied|resource_exhausted|unimplemented|unavailable|unauthenticated)"/;

interface Row {
  readonly name: string;
  readonly path?: string;
  readonly method?: string;
  readonly type?: string;
  readonly headers?: string;
  body?(target: Target): Buffer;
}

const WEB = "application/grpc-web+proto";
const TEXT = "application/grpc-web-text";
const UNARY = "application/proto";
const JSON_TYPE = "application/json";
const STREAM = "application/connect+proto";

/** Flags and an announced length, and what follows in truth. */
function frame(flags: number, announced: number, message: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(announced, 1);
  return Buffer.concat([head, message]);
}

const nothing = framed(Buffer.alloc(0));
const spaces = (bytes: number): Buffer => Buffer.alloc(bytes, 0x20);

const WEB_ROWS: readonly Row[] = [
  { name: "a message that announces 4 GiB", type: WEB, body: () => frame(0, 0xffffffff) },
  { name: "a message that is cut", type: WEB, body: () => frame(0, 100, Buffer.alloc(10)) },
  { name: "half a head of a message", type: WEB, body: () => Buffer.alloc(3) },
  { name: "no message", type: WEB, body: () => Buffer.alloc(0) },
  { name: "trailers of a client", type: WEB, body: () => frame(0x80, 3, Buffer.from("a:b")) },
  { name: "flags that nobody knows", type: WEB, body: () => frame(0xff, 0) },
  { name: "compressed without a coding", type: WEB, body: () => frame(1, 10, Buffer.alloc(10)) },
  {
    name: "a gzip bomb in a message",
    type: WEB,
    headers: "grpc-encoding: gzip\r\n",
    body: () => {
      const bomb = gzipSync(spaces(32 * MIB));
      return frame(1, bomb.length, bomb);
    },
  },
  {
    name: "100,000 messages where there is one",
    type: WEB,
    body: () => Buffer.concat(new Array<Buffer>(100_000).fill(nothing)),
  },
  { name: "text that is no base64", type: TEXT, body: () => Buffer.from("!".repeat(4_000)) },
  { name: "1 MiB of padding", type: TEXT, body: () => Buffer.alloc(MIB, 0x3d) },
  { name: "base64 that ends again and again", type: TEXT, body: () => Buffer.from("AA==".repeat(200_000)) },
  {
    name: "base64 with spaces",
    type: TEXT,
    body: () => Buffer.concat([spaces(MIB), Buffer.from(nothing.toString("base64"))]),
  },
  {
    name: "a type that is nearly right",
    type: "application/grpc-web-text-text+proto;;;;",
    body: () => nothing,
  },
  {
    name: "a deadline of a thousand digits",
    type: WEB,
    headers: `grpc-timeout: ${"9".repeat(1_000)}S\r\n`,
    body: () => nothing,
  },
  { name: "a header of binary that is none", type: WEB, headers: "x-id-bin: ====\r\n", body: () => nothing },
];

const CONNECT_ROWS: readonly Row[] = [
  { name: "deep JSON", type: JSON_TYPE, body: () => Buffer.from("[".repeat(250_000)) },
  {
    name: "deep JSON in a field",
    type: JSON_TYPE,
    body: () => Buffer.from(`{"parameters":${'{"a":'.repeat(100_000)}1`),
  },
  {
    name: "a long number",
    type: JSON_TYPE,
    body: () => Buffer.from(`{"modelName":"digits","inputs":[{"shape":["${"9".repeat(MIB / 2)}"]}]}`),
  },
  {
    name: "JSON with a wrong base64",
    type: JSON_TYPE,
    body: () => Buffer.from('{"modelName":"digits","rawInputContents":["%%%%"]}'),
  },
  {
    name: "JSON with a prototype",
    type: JSON_TYPE,
    body: () => Buffer.from('{"__proto__":{"modelName":"digits"},"constructor":1}'),
  },
  {
    name: "more than 1 MiB of JSON",
    type: JSON_TYPE,
    body: () => Buffer.from(`{"id":"${"x".repeat(2 * MIB)}"}`),
  },
  {
    name: "broken UTF-8",
    type: JSON_TYPE,
    body: () => Buffer.concat([Buffer.from('{"id":"'), Buffer.alloc(100, 0xff), Buffer.from('"}')]),
  },
  { name: "groups", type: UNARY, body: () => Buffer.alloc(MIB, 0x0b) },
  {
    name: "a gzip bomb",
    type: UNARY,
    headers: "Content-Encoding: gzip\r\n",
    body: () => gzipSync(spaces(32 * MIB)),
  },
  {
    name: "a coding that there is not",
    type: UNARY,
    headers: "Content-Encoding: br\r\n",
    body: () => deflateSync(spaces(10)),
  },
  {
    name: "a deadline of a thousand digits",
    type: UNARY,
    headers: `connect-timeout-ms: ${"9".repeat(1_000)}\r\n`,
    body: () => Buffer.alloc(0),
  },
  {
    name: "a deadline below zero",
    type: UNARY,
    headers: "connect-timeout-ms: -1\r\n",
    body: () => Buffer.alloc(0),
  },
  {
    name: "a version that there is not",
    type: UNARY,
    headers: "connect-protocol-version: 99\r\n",
    body: () => Buffer.alloc(0),
  },
  {
    name: "a message in a URL of 64 KiB",
    method: "GET",
    path: `${SERVICE}/ModelReady?connect=v1&encoding=proto&base64=1&message=${"A".repeat(65_536)}`,
  },
  {
    name: "a message in a URL that is no base64",
    method: "GET",
    path: `${SERVICE}/ModelReady?connect=v1&encoding=proto&base64=1&message=%25%25`,
  },
  {
    name: "a bomb in a URL",
    method: "GET",
    path: `${SERVICE}/ModelReady?connect=v1&encoding=json&base64=1&compression=gzip&message=${gzipSync(Buffer.alloc(2 * MIB)).toString("base64url")}`,
  },
  {
    name: "an inference by GET",
    method: "GET",
    path: `${SERVICE}/ModelInfer?connect=v1&encoding=json&message=%7B%7D`,
  },
  {
    name: "a load by GET",
    method: "GET",
    path: `${SERVICE}/RepositoryModelLoad?connect=v1&encoding=json&message=%7B%22modelName%22%3A%22digits%22%7D`,
  },
  {
    name: "a stream that announces 4 GiB",
    type: STREAM,
    path: `${SERVICE}/ModelStreamInfer`,
    body: () => frame(0, 0xffffffff),
  },
  {
    name: "a stream that begins with its end",
    type: STREAM,
    path: `${SERVICE}/ModelStreamInfer`,
    body: () => Buffer.concat([frame(2, 2, Buffer.from("{}")), nothing, nothing]),
  },
  {
    name: "a stream whose end is no JSON",
    type: STREAM,
    path: `${SERVICE}/ModelStreamInfer`,
    body: () => frame(2, 4, Buffer.from("{{{{")),
  },
  {
    name: "a stream of 10,000 empty messages",
    type: STREAM,
    path: `${SERVICE}/ModelStreamInfer`,
    body: () => Buffer.concat([...new Array<Buffer>(10_000).fill(nothing), frame(2, 2, Buffer.from("{}"))]),
  },
  {
    name: "a bomb in a stream",
    type: STREAM,
    path: `${SERVICE}/ModelStreamInfer`,
    headers: "connect-content-encoding: gzip\r\n",
    body: () => {
      const bomb = gzipSync(spaces(32 * MIB));
      return frame(1, bomb.length, bomb);
    },
  },
];

/** gRPC in the clothes that browsers give it: broken, long, deep, and packed. */
export const browserRpc: readonly Attack[] = [
  ...WEB_ROWS.map((row) => attack("gRPC-Web", row)),
  ...CONNECT_ROWS.map((row) => attack("Connect", row)),
];

function attack(protocol: string, row: Row): Attack {
  return {
    group: "browser RPC",
    name: `${protocol}: ${row.name}`,
    holds: "one end of the call, and a status that is honest about whose fault it is",
    async run(target) {
      const heard = await exchange(target, [request(row, target)]);
      return judge(heard);
    },
  };
}

function request(
  { method = "POST", path = `${SERVICE}/ModelInfer`, type, headers = "", body }: Row,
  target: Target,
): Buffer {
  const bytes = body?.(target) ?? Buffer.alloc(0);
  const own = type === undefined ? "" : `Content-Type: ${type}\r\nContent-Length: ${bytes.length}\r\n`;
  const version = headers.includes("connect-protocol-version") ? "" : "connect-protocol-version: 1\r\n";
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${own}${version}${headers}\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), bytes]);
}

function judge(heard: Heard): string {
  const statuses = statusesOf(heard);
  // Bytes that are still on their way when it closes may cost the client its answer.
  if (statuses.length === 0) return heard.isClosed ? "" : "no answer, and the connection stays open";
  const [status] = statuses;
  if (statuses.length > 1) return `answered with ${statuses.join(", ")}`;
  if (status !== 200)
    return (status! >= 400 && status! < 500) || status === 503 || status === 504 || status === 501
      ? ""
      : `answered with ${status}`;
  const words = withoutBase64(heard.text);
  const statusesOfCall = [...words.matchAll(/grpc-status: ?(\d+)/gi)].map(([, code]) => code!);
  const isHonest = statusesOfCall.some((code) => HONEST.has(code)) || HONEST_WORDS.test(words);
  const isEmptyStream = /\{("metadata":\{\})?\}/.test(words) || words.includes("error");
  return isHonest || isEmptyStream ? "" : `answered with ${JSON.stringify(words.slice(-200))}`;
}
