import type { IncomingHttpHeaders } from "node:http";
import type { RestLimits } from "../../rest-limits.ts";
import type { RestRequest } from "../call/rest-transport.ts";

/** Of the request line: no query, no escapes, nothing that a proxy and this server might read in two ways. */
const REQUEST_LINE = /(GET|POST) (\/[A-Za-z0-9/._~-]*) HTTP\/1\.1\r\n/y;
/** One header: a plain name, one colon, at most one space, and visible ASCII that neither begins nor ends with a space. */
const HEADER = /([A-Za-z0-9-]{1,64}): ?([!-~](?:[ -~]*[!-~])?)\r\n/y;
/** A length that fits a small body many times. */
const LENGTH = /^(?:0|[1-9][0-9]{0,7})$/;
const MAX_LENGTH_DIGITS = 8;
const HEAD_END = "\r\n\r\n";
const ZERO = 0x30;
const LETTER_G = 0x47;
const LETTER_P = 0x50;
const CARRIAGE_RETURN = 0x0d;

/** They change how a message is framed or what its connection speaks: `node:http` reads such requests. */
const UNUSUAL: ReadonlySet<string> = new Set([
  "content-encoding",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The request line and headers of a request of the strictest shape. */
export interface FastHead extends RestRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly isLast: boolean;
  /** Bytes of the body. */
  contentLength: number;
  /** Bytes of the request line and headers, the empty line included. */
  bytes: number;
}

/** `incomplete`: more has to come. `unusual`: `node:http` is to read it; nothing is said of whether it is right. */
export type FastHeadResult = FastHead | "incomplete" | "unusual";

/**
 * Reads the head of a request that begins at `from`, if it has the shape that all parsers read in one way: GET or POST of a plain path,
 * HTTP/1.1, headers of plain names and values, none twice, a Host, exactly one length when there is a body. Whatever this accepts, Node's own parser
 * accepts and reads the same; `npm run fuzz -- fast-lane` asks it.
 */
export function readFastHead(
  bytes: Buffer,
  from: number,
  { maxHeaderBytes, maxHeaders, maxUrlBytes }: RestLimits,
): FastHeadResult {
  const end = bytes.indexOf(HEAD_END, from, "latin1");
  if (end < 0) return mayGoOn(bytes, from, maxHeaderBytes) ? "incomplete" : "unusual";
  const size = end + HEAD_END.length - from;
  if (size > maxHeaderBytes) return "unusual";
  const text = bytes.toString("latin1", from, end + 2);
  REQUEST_LINE.lastIndex = 0;
  const line = REQUEST_LINE.exec(text);
  if (line === null || line[2]!.length > maxUrlBytes) return "unusual";
  const rawHeaders: string[] = [];
  const headers: IncomingHttpHeaders = {};
  let at = REQUEST_LINE.lastIndex;
  while (at < text.length) {
    HEADER.lastIndex = at;
    const header = HEADER.exec(text);
    if (header === null) return "unusual";
    at = HEADER.lastIndex;
    const name = header[1]!.toLowerCase();
    if (Object.hasOwn(headers, name) || UNUSUAL.has(name)) return "unusual";
    headers[name] = header[2]!;
    rawHeaders.push(header[1]!, header[2]!);
  }
  if (rawHeaders.length > maxHeaders * 2) return "unusual";
  return complete({ method: line[1] as "GET" | "POST", url: line[2]!, headers, rawHeaders }, size);
}

function complete(
  head: Pick<FastHead, "method" | "url" | "headers" | "rawHeaders">,
  bytes: number,
): FastHeadResult {
  const { headers, method } = head;
  const connection = headers.connection?.toLowerCase();
  const length = headers["content-length"];
  if (headers.host === undefined) return "unusual";
  if (connection !== undefined && connection !== "close" && connection !== "keep-alive") return "unusual";
  if ((length !== undefined) !== (method === "POST")) return "unusual";
  if (length !== undefined && !LENGTH.test(length)) return "unusual";
  return {
    ...head,
    httpVersion: "1.1",
    isLast: connection === "close",
    contentLength: Number(length ?? 0),
    bytes,
  };
}

/** Whether a head that is not complete may become one of the shape. */
function mayGoOn(bytes: Buffer, from: number, maxHeaderBytes: number): boolean {
  const first = bytes[from];
  if (bytes.length - from >= maxHeaderBytes || (first !== LETTER_G && first !== LETTER_P)) return false;
  const lineEnd = bytes.indexOf("\n", from, "latin1");
  return lineEnd < 0 || bytes[lineEnd - 1] === CARRIAGE_RETURN;
}

/**
 * The last head of a connection. Clients send the same one again and again, but for the length of the body: then comparing it is all the
 * reading there is.
 */
export class HeadMemory<Head extends FastHead> {
  #head: Head | undefined;
  #before: Buffer = Buffer.alloc(0);
  #after: Buffer = Buffer.alloc(0);

  /** The head kept last, with this body's length, when the bytes at `from` are the same. */
  recall(bytes: Buffer, from: number): Head | undefined {
    const head = this.#head;
    if (head === undefined || !sameBytes(this.#before, bytes, from)) return undefined;
    let at = from + this.#before.length;
    if (head.method === "POST") {
      const first = at;
      let length = 0;
      for (; at < first + MAX_LENGTH_DIGITS && at < bytes.length; at++) {
        const digit = bytes[at]! - ZERO;
        if (digit >>> 0 > 9) break;
        length = length * 10 + digit;
      }
      if (at === first || (bytes[first] === ZERO && at > first + 1)) return undefined;
      if (!sameBytes(this.#after, bytes, at)) return undefined;
      at += this.#after.length;
      if (length !== head.contentLength) {
        head.contentLength = length;
        head.headers["content-length"] = String(length);
      }
    }
    head.bytes = at - from;
    return head;
  }

  /** Keeps a head that was read from `bytes` at `from`. */
  keep(head: Head, bytes: Buffer, from: number): void {
    const all = bytes.subarray(from, from + head.bytes);
    const lengthAt = head.method === "GET" ? -1 : lengthPlace(all.toString("latin1"));
    this.#head = head;
    this.#before = Buffer.from(lengthAt < 0 ? all : all.subarray(0, lengthAt));
    const digits = lengthAt < 0 ? 0 : head.headers["content-length"]!.length;
    this.#after = Buffer.from(lengthAt < 0 ? [] : all.subarray(lengthAt + digits));
  }
}

const LENGTH_HEADER = /\r\ncontent-length: ?/i;

/** Where the digits of the length begin, in a head that has one. */
function lengthPlace(text: string): number {
  const found = LENGTH_HEADER.exec(text)!;
  return found.index + found[0].length;
}

function sameBytes(expected: Buffer, bytes: Buffer, at: number): boolean {
  const end = at + expected.length;
  return end <= bytes.length && bytes.compare(expected, 0, expected.length, at, end) === 0;
}
