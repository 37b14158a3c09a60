import { STATUS_CODES } from "node:http";

/** What `node:http` refuses to write into a header. */
const INVALID = /[^\t\x20-\x7e\x80-\xff]/g;

export interface ResponseHead {
  readonly status: number;
  /** Names and values in turn; `Connection` is written by itself. */
  readonly headers: readonly string[];
  /** Value of `Date`. */
  readonly date: string;
  /** How long the connection stays open when idle; undefined: it closes. */
  readonly keepAliveMs: number | undefined;
}

/** The status line and headers of a response, as `node:http` writes them, in Latin-1. */
export function responseHead({ status, headers, date, keepAliveMs }: ResponseHead): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    const value = headers[i + 1]!;
    if (name !== "Connection")
      text += `${name}: ${INVALID.test(value) ? value.replace(INVALID, "?") : value}\r\n`;
    INVALID.lastIndex = 0;
  }
  const connection =
    keepAliveMs === undefined
      ? "Connection: close"
      : `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}`;
  return `${text}Date: ${date}\r\n${connection}\r\n\r\n`;
}

/** The value of a `Date` header (RFC 9110 §5.6.7), made once a second. */
export function httpDate(): () => string {
  let dateS = 0;
  let date = "";
  return () => {
    const nowS = Math.floor(Date.now() / 1000);
    if (nowS !== dateS) {
      dateS = nowS;
      date = new Date(nowS * 1000).toUTCString();
    }
    return date;
  };
}
