import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { ServeError } from "../../../base/errors.ts";
import { REST_SCHEME } from "../../http2-request.ts";
import type { Tunnel } from "../../tunnel.ts";
import { expectsContinue } from "./check-head.ts";
import { CONNECTION_HEADERS } from "./connection-headers.ts";
import type { RestCall } from "./rest-call.ts";
import type { RestRequest } from "./rest-transport.ts";

/** They concern a connection, not what is said over it; the server process does not have this one. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([...CONNECTION_HEADERS, "date", "host"]);
const NO_BODY: Buffer = Buffer.alloc(0);

/** Has a call answered by the server process, which judges, counts and logs it like every other one; its response is passed on as it is. */
export function forwardCall(call: RestCall, tunnel: Tunnel): void {
  const { request, transport } = call;
  const whole = transport.takeBody();
  const isEmpty = whole === undefined ? announcesNothing(request) : whole.length === 0;
  const stream = tunnel.request(requestHeaders(call, isEmpty), { endStream: isEmpty });
  call.onEnd(() => {
    // It may go on for a while, and its response has nobody to go to.
    stream.removeAllListeners("response");
    tunnel.giveUp(stream);
  });
  passResponse(call, stream);
  if (isEmpty) return;
  if (whole !== undefined) stream.end(whole);
  else if (expectsContinue(request)) stream.once("continue", () => passBody(call, stream));
  else passBody(call, stream);
}

function announcesNothing({ method, headers }: RestRequest): boolean {
  if (headers["content-length"] !== undefined) return headers["content-length"] === "0";
  // A request of HTTP/2 need not announce its body.
  return headers["transfer-encoding"] === undefined && (method === "GET" || method === "HEAD");
}

function requestHeaders(call: RestCall, isEmpty: boolean): Record<string, string | string[]> {
  const { method, url, headers } = call.request;
  const passed: Record<string, string | string[]> = {
    ":method": method ?? "GET",
    ":path": url?.startsWith("/") === true ? url : `/${url ?? ""}`,
    ":scheme": REST_SCHEME,
    ":authority": headers.host ?? "127.0.0.1",
  };
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value === undefined || NOT_FORWARDED.has(name)) continue;
    if (name === "content-length" && isEmpty) continue;
    passed[name] = value;
  }
  passed["x-request-id"] = call.id;
  return passed;
}

function passBody(call: RestCall, stream: ClientHttp2Stream): void {
  const { message } = call.transport;
  if (!call.isAskedForBody) call.continue();
  message.pipe(stream);
  stream.once("close", () => {
    message.unpipe(stream);
    message.resume();
  });
}

function passResponse(call: RestCall, stream: ClientHttp2Stream): void {
  let isOver = false;
  stream.once("response", (headers) => {
    const status = Number(headers[":status"]);
    const passed = responseHeaders(headers);
    if (headers["content-length"] === undefined) {
      isOver = true;
      const pieces = call.relayPieces(status, passed);
      stream.on("close", () => {
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) call.transport.connection.destroy();
      });
      stream.pipe(pieces);
      return;
    }
    const parts: Buffer[] = [];
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.once("end", () => {
      isOver = true;
      const body = parts.length === 1 ? parts[0]! : parts.length === 0 ? NO_BODY : Buffer.concat(parts);
      call.relay({ status, parts: [body], length: body.length, headers: passed });
    });
  });
  stream.once("close", () => {
    if (!isOver)
      call.fail(new ServeError("unavailable", "the server is shutting down", { reason: "draining" }));
  });
}

/** Names and values in turn, spelled as HTTP/1.1 does. */
function responseHeaders(headers: IncomingHttpHeaders): string[] {
  const passed: string[] = [];
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (name.startsWith(":") || NOT_FORWARDED.has(name) || value === undefined) continue;
    for (const one of [value].flat()) passed.push(spelled(name), one);
  }
  return passed;
}

function spelled(name: string): string {
  if (name === "www-authenticate") return "WWW-Authenticate";
  return name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());
}
