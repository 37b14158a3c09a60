import { once } from "node:events";
import { createServer } from "node:net";

/** Below what systems give away by themselves: no connection or listener of a neighbour takes one of these between the look and the use. */
const [FIRST, COUNT] = [12_000, 20_000];

/** A port of 127.0.0.1 that nobody listens on, for a program that cannot take port 0. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await Promise.race([
      once(server, "listening").then(() => true),
      once(server, "error").then(() => false),
    ]).catch(() => false);
    if (!isFree) continue;
    await once(server.close(), "close");
    return port;
  }
}
