import { type Attack, exchange, statusesOf } from "../attack.ts";

const REQUESTS = 2_000;
const PATHS = [
  "/metrics",
  "/v2/models/stats",
  "/",
  "/v2",
  "/nothing/of/the/kind",
  "/v2/models/nothing",
  "/openapi.json",
  "/docs",
  "/v1/models",
] as const;

/** One connection that asks for everything at once. What else is served meanwhile is timed for every attack. */
export const pipelining: readonly Attack[] = PATHS.map((path) => ({
  group: "pipelining",
  name: `${REQUESTS} × GET ${path} on one connection`,
  holds: "answered in order or cut off, and nobody else waits",
  async run(target) {
    const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n`;
    const all = `${`${request}\r\n`.repeat(REQUESTS - 1)}${request}Connection: close\r\n\r\n`;
    const heard = await exchange(target, [all], { withinMs: 2_000 });
    const strange = statusesOf(heard).find((status) => ![200, 403, 404, 429, 503].includes(status));
    return strange === undefined ? "" : `answered with ${strange}`;
  },
}));
