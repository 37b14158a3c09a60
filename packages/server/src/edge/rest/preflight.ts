import type { RestCall } from "./call/rest-call.ts";
import type { RestRequest } from "./call/rest-transport.ts";
import { type FoundRoute, METHODS } from "./call/route-table.ts";

/** How long a browser need not ask again, in seconds. */
const MAX_AGE_S = 600;
/** Names of headers, as many as a page may reasonably want to send. */
const HEADER_LIST = /^[A-Za-z0-9!#$%&'*+.^_`|~, -]{0,1024}$/;
const VARY = "Access-Control-Request-Method, Access-Control-Request-Headers";
const EMPTY = Buffer.alloc(0);

/** Whether a browser asks if a page may send what it wants to send (CORS, "preflight"). */
export function isPreflight({ method, headers }: RestRequest): boolean {
  return (
    method === "OPTIONS" &&
    headers.origin !== undefined &&
    headers["access-control-request-method"] !== undefined
  );
}

/** Where preflights lead, whatever their URL. */
export const PREFLIGHT: FoundRoute = {
  route: { method: "GET", urls: [], needs: "nothing", run: respondToPreflight },
  params: {},
};

/** Answers a preflight whose origin is allowed. The URL need not exist: the request itself is told so. */
function respondToPreflight(call: RestCall): void {
  const { headers } = call.request;
  const answer = [
    "Access-Control-Allow-Methods",
    METHODS,
    "Access-Control-Max-Age",
    String(MAX_AGE_S),
    "Vary",
    VARY,
  ];
  const wanted = headers["access-control-request-headers"];
  if (wanted !== undefined && HEADER_LIST.test(wanted)) answer.push("Access-Control-Allow-Headers", wanted);
  // A page on the internet that asks for a server on its reader's own network.
  if (headers["access-control-request-private-network"] === "true")
    answer.push("Access-Control-Allow-Private-Network", "true");
  call.send(200, "text/plain; charset=utf-8", EMPTY, answer);
}
