import { createRequire } from "node:module";
import { DEFAULT_REST_LIMITS } from "../../rest-limits.ts";
import { type FastHead, HeadMemory, readFastHead } from "./fast-head.ts";

/** One request as a reader understood it. */
interface ReadRequest {
  readonly method: string;
  readonly url: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly keepsAlive: boolean;
}

/** What is known of a campaign. */
export interface FuzzReport {
  readonly inputs: number;
  /** Requests that the fast lane took. */
  readonly accepted: number;
  /** Of those, how many by comparing them with the one before. */
  readonly recalled: number;
  /** Inputs of which the fast lane took a request that Node refuses or reads differently. */
  readonly findings: readonly string[];
}

/** Node's own parser, behind its back door: through sockets a campaign would take days. */
interface NodeParser {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(bytes: Buffer): number | Error;
  [callback: number]: unknown;
}
interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}
const { HTTPParser, methods } = createRequire(import.meta.url)("_http_common") as {
  readonly HTTPParser: NodeParserClass;
  readonly methods: readonly string[];
};

/** Used again and again, as Node does: one that is let go stays in memory. */
const PARSER = new HTTPParser();

/** The requests at the beginning of some bytes that Node reads to their end. */
export function readAsNode(bytes: Buffer): ReadRequest[] {
  const requests: ReadRequest[] = [];
  PARSER.initialize(HTTPParser.REQUEST, {}, DEFAULT_REST_LIMITS.maxHeaderBytes, 0);
  let head: Omit<ReadRequest, "body"> | undefined;
  let body = "";
  let early: string[] = [];
  let earlyUrl = "";
  PARSER[HTTPParser.kOnHeaders | 0] = (headers: string[], url: string): void => {
    early = [...early, ...headers];
    earlyUrl += url;
  };
  PARSER[HTTPParser.kOnHeadersComplete | 0] = (...args: unknown[]): number => {
    const [major, minor, headers, method, url, , , upgrade, keepsAlive] = args;
    const rawHeaders = [...early, ...((headers as string[] | undefined) ?? [])];
    const target = earlyUrl + ((url as string | undefined) ?? "");
    head = {
      method: major === 1 && minor === 1 && upgrade !== true ? (methods[method as number] ?? "?") : "?",
      url: target,
      rawHeaders,
      keepsAlive: keepsAlive === true,
    };
    body = "";
    early = [];
    earlyUrl = "";
    return 0;
  };
  PARSER[HTTPParser.kOnBody | 0] = (part: Buffer): void => {
    body += part.toString("latin1");
  };
  PARSER[HTTPParser.kOnMessageComplete | 0] = (): void => {
    if (head !== undefined) requests.push({ ...head, body });
  };
  PARSER.execute(bytes);
  return requests;
}

interface FastReading {
  readonly requests: readonly ReadRequest[];
  readonly recalled: number;
}

/** The requests at the beginning of some bytes that the fast lane takes. */
export function readAsFastLane(bytes: Buffer): FastReading {
  const memory = new HeadMemory<FastHead>();
  const requests: ReadRequest[] = [];
  let recalled = 0;
  for (let at = 0; at < bytes.length; ) {
    const known = memory.recall(bytes, at);
    const head = known ?? readFastHead(bytes, at, DEFAULT_REST_LIMITS);
    if (typeof head === "string") break;
    if (known === undefined) memory.keep(head, bytes, at);
    const end = at + head.bytes + head.contentLength;
    if (end > bytes.length) break;
    if (known !== undefined) recalled += 1;
    requests.push({
      method: head.method,
      url: head.url,
      rawHeaders: withLength(head),
      keepsAlive: !head.isLast,
      body: bytes.toString("latin1", at + head.bytes, end),
    });
    if (head.isLast) break;
    at = end;
  }
  return { requests, recalled };
}

/** The headers as they came; a head that is recalled has its length in `headers` only. */
function withLength({ rawHeaders, headers }: FastHead): string[] {
  return rawHeaders.map((text, i) =>
    i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === "content-length" ? headers["content-length"]! : text,
  );
}

/** What the fast lane reads otherwise than Node; undefined: nothing. */
export function difference(
  bytes: Buffer,
  fast: readonly ReadRequest[] = readAsFastLane(bytes).requests,
): string | undefined {
  if (fast.length === 0) return undefined;
  const node = readAsNode(bytes);
  for (let i = 0; i < fast.length; i++) {
    const [a, b] = [JSON.stringify(fast[i]), JSON.stringify(node[i])];
    if (a !== b)
      return `request ${i}: the fast lane reads ${a}, Node ${b} in ${JSON.stringify(bytes.toString("latin1"))}`;
  }
  return undefined;
}

/** Mutates requests of real clients, and asks both readers. The same seed gives the same inputs. */
export function fuzzFastHead(options: { readonly seed: number; readonly count: number }): FuzzReport {
  const random = mulberry32(options.seed);
  const findings: string[] = [];
  let accepted = 0;
  let recalled = 0;
  for (let i = 0; i < options.count; i++) {
    const bytes = makeInput(random);
    const fast = readAsFastLane(bytes);
    accepted += fast.requests.length;
    recalled += fast.recalled;
    const found = difference(bytes, fast.requests);
    if (found !== undefined) findings.push(found);
  }
  return { inputs: options.count, accepted, recalled, findings };
}

type Random = (below: number) => number;

function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const BODY = '{"input":[1,2]}';
const post = (headers: string, path = "/predict/digits", body = BODY): string =>
  `POST ${path} HTTP/1.1\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

/** As curl, Python's http.client and requests, undici, wrk, tritonclient and a proxy send them; then what HTTP has beside that. */
const SEEDS: readonly string[] = [
  post(
    "Host: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\n",
  ),
  post("Host: localhost:8080\r\nAccept-Encoding: identity\r\n"),
  post(
    "Host: localhost\r\nUser-Agent: python-requests/2.32.0\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n",
    "/v2/models/digits/infer",
  ),
  post(
    "host: a\r\nconnection: keep-alive\r\ncontent-type: application/json\r\naccept: */*\r\naccept-language: *\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\n",
  ),
  post("Host: a\r\nInference-Header-Content-Length: 4\r\n", "/v2/models/digits/versions/1/infer", '{"a"0123'),
  post("Host: a\r\nX-Request-Id: 7f\r\nX-Request-Timeout-Ms: 20\r\nConnection: close\r\n"),
  post("Host: a\r\n", "/predict/a.b-c_d~e", ""),
  "GET /v2/health/ready HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=d\r\nConnection: Keep-Alive\r\n\r\n",
  "POST /predict/d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
  "POST /predict/d HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
  "GET /x?a=%20 HTTP/1.0\r\nHost: a\r\n folded\r\nUpgrade: h2c\r\n\r\n",
  "POST /predict/d HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}",
];

/** What parsers differ about. */
const TOKENS: readonly string[] = [
  "\r\n",
  "\n",
  "\r",
  "\r\n\r\n",
  "\n\n",
  " ",
  "\t",
  "\v",
  "\f",
  "\0",
  "\x7f",
  "\x80",
  "\xa0",
  "\xff",
  ":",
  ": ",
  " :",
  ",",
  ";",
  '"',
  "+",
  "-",
  "_",
  "0",
  "00",
  "0x",
  "1",
  "15",
  "99999999",
  "18446744073709551617",
  "Content-Length: 2\r\n",
  "Content-Length: 15\r\n",
  "content-length:2\r\n",
  "Content-Length: 2, 2\r\n",
  "Content-Length:\r\n",
  "Content-Length: +2\r\n",
  "Content-Length: 0x2\r\n",
  "Content_Length: 3\r\n",
  "Content-Length : 2\r\n",
  "Content-Length\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: identity\r\n",
  "Transfer-Encoding:\tchunked\r\n",
  "transfer-encoding : chunked\r\n",
  "Connection: close\r\n",
  "Connection: keep-alive, close\r\n",
  "Connection: upgrade\r\n",
  "Upgrade: websocket\r\n",
  "Expect: 100-continue\r\n",
  "Host: b\r\n",
  "Host:\r\n",
  "X: \r\n",
  "X:\r\n",
  " x\r\n",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/2.0",
  "http/1.1",
  "HTTP/1.1 ",
  "GET ",
  "POST ",
  "PUT ",
  "OPTIONS ",
  "CONNECT ",
  "PRI ",
  "get ",
  "/",
  "//",
  "/../",
  "%2e",
  "?",
  "#",
  "@",
  "http://a/",
  "*",
  "\\",
  "__proto__: a\r\n",
  "constructor: a\r\n",
  "5\r\nabcde\r\n0\r\n\r\n",
];

function makeInput(random: Random): Buffer {
  let text = SEEDS[random(SEEDS.length)]!;
  // The same again, so that the second is compared with the first instead of read.
  const count = random(4);
  if (count > 1) text = text.repeat(count);
  else if (count === 1) text += SEEDS[random(SEEDS.length)]!;
  for (let left = random(4); left > 0; left--) text = mutate(text, random);
  return Buffer.from(text, "latin1");
}

function mutate(text: string, random: Random): string {
  const at = random(text.length + 1);
  const length = random(4) === 0 ? random(40) : random(3);
  switch (random(7)) {
    case 0:
      return text.slice(0, at) + String.fromCharCode(random(256)) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + text.slice(at + length);
    case 2:
      return text.slice(0, at) + TOKENS[random(TOKENS.length)]! + text.slice(at + length);
    case 3: {
      // Between two headers, where a whole one fits.
      const lines = text.split("\r\n");
      lines.splice(random(lines.length), random(2), TOKENS[random(TOKENS.length)]!.replace(/\r\n$/, ""));
      return lines.join("\r\n");
    }
    case 4:
      return text.slice(0, at) + text.slice(random(text.length + 1));
    case 5:
      return text.replace(/Content-Length: \d+/gi, (header) =>
        random(2) === 0 ? header : `${header.slice(0, 16)}${random(3) === 0 ? "0" : ""}${random(30)}`,
      );
    default: {
      const flip = String.fromCharCode((text.charCodeAt(at % text.length) ^ (1 << random(8))) & 0xff);
      return text.slice(0, at) + flip + text.slice(at + 1);
    }
  }
}
