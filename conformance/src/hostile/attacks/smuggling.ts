import { type Attack, exchange, statusesOf, type Target } from "../attack.ts";

/** If the server takes this for a request of its own, a second response comes back. */
const HIDDEN = "GET /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n";

type Bytes = string | ((target: Target) => string);

/** Name, and bytes that two readers of HTTP could read in two ways. */
const SHAPES: ReadonlyArray<readonly [name: string, bytes: Bytes]> = [
  ["length and chunks", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${HIDDEN}`)],
  ["chunks and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", `0\r\n\r\n${HIDDEN}`)],
  ["two lengths", post("Content-Length: 2\r\nContent-Length: 40\r\n", `{}${HIDDEN}`)],
  ["two lengths in one", post("Content-Length: 2, 40\r\n", `{}${HIDDEN}`)],
  ["a length with a sign", post("Content-Length: +2\r\n", `{}${HIDDEN}`)],
  ["a negative length", post("Content-Length: -1\r\n", HIDDEN)],
  ["a length in hexadecimal", post("Content-Length: 0x2\r\n", `{}${HIDDEN}`)],
  ["a length beyond 64 bits", post("Content-Length: 18446744073709551618\r\n", `{}${HIDDEN}`)],
  ["an unknown transfer coding", post("Transfer-Encoding: xchunked\r\n", `0\r\n\r\n${HIDDEN}`)],
  ["chunked, not last", post("Transfer-Encoding: chunked, identity\r\n", `0\r\n\r\n${HIDDEN}`)],
  [
    "chunked twice",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${HIDDEN}`),
  ],
  ["a space before the colon", post("Transfer-Encoding : chunked\r\n", `0\r\n\r\n${HIDDEN}`)],
  ["a folded header", post("Transfer-Encoding:\r\n chunked\r\n", `0\r\n\r\n${HIDDEN}`)],
  ["a NUL in a header", post("Content-Length: 2\r\nX: a\0b\r\n", `{}${HIDDEN}`)],
  ["a bare CR in a header", post("X: a\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n", `{}${HIDDEN}`)],
  ["a chunk size with a sign", post("Transfer-Encoding: chunked\r\n", `+2\r\n{}\r\n0\r\n\r\n${HIDDEN}`)],
  [
    "a chunk size beyond 64 bits",
    post("Transfer-Encoding: chunked\r\n", `10000000000000002\r\n{}\r\n0\r\n\r\n${HIDDEN}`),
  ],
  [
    "a chunk that is longer than said",
    post("Transfer-Encoding: chunked\r\n", `1\r\n{}\r\n0\r\n\r\n${HIDDEN}`),
  ],
  ["a chunk without its end", post("Transfer-Encoding: chunked\r\n", `2\r\n{}0\r\n\r\n${HIDDEN}`)],
  [
    "chunks for HTTP/1.0",
    "POST /v2/repository/index HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
  ],
  ["two hosts", "GET /v2 HTTP/1.1\r\nHost: localhost\r\nHost: other.example\r\n\r\n"],
  ["no host", "GET /v2 HTTP/1.1\r\n\r\n"],
  ["a host that is none", "GET /v2 HTTP/1.1\r\nHost: localhost/v2 x\r\n\r\n"],
  ["a version that does not exist", "GET /v2 HTTP/1.2\r\nHost: localhost\r\n\r\n"],
  ["HTTP/2.0 in letters", "GET /v2 HTTP/2.0\r\nHost: localhost\r\n\r\n"],
  ["HTTP/0.9", "GET /v2\r\n\r\n"],
  ["a method that does not exist", "SMUG /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["TRACE", "TRACE /v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
  ["CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["a request line in tabs", "GET\t/v2\tHTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["a path with a space", "GET /v2 /models HTTP/1.1\r\nHost: localhost\r\n\r\n"],
];

function post(headers: string, rest: string): string {
  return `POST /v2/repository/index HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n${rest}`;
}

export const smuggling: readonly Attack[] = SHAPES.map(([name, bytes]) => ({
  group: "smuggling",
  name,
  holds: "one response, an error, and the connection is closed",
  async run(target) {
    const heard = await exchange(target, [typeof bytes === "string" ? bytes : bytes(target)]);
    const statuses = statusesOf(heard);
    if (statuses.length !== 1 || statuses[0]! < 400)
      return `answered with ${statuses.join(", ") || "nothing"}`;
    return heard.isClosed ? "" : "the connection stayed open";
  },
}));
