import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What a client sends, and how it goes about it. */
export interface ClientManner {
  readonly path: string;
  readonly body: (round: number) => string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Opens a connection for each request. */
  readonly isHasty?: boolean;
  /** Sends the second half of each body so much later. */
  readonly pauseMs?: number;
  /** Clients at the same time, each with one request under way; default: 1. */
  readonly clients?: number;
}

export interface ClientFigures {
  readonly meanMs: number;
  readonly perSecond: number;
  readonly failed: number;
}

/** Has clients ask a server until the signal says so. */
export async function askUntil(
  url: string,
  manner: ClientManner,
  signal: AbortSignal,
): Promise<ClientFigures> {
  const agent = new http.Agent({ keepAlive: true });
  const startMs = performance.now();
  let answered = 0;
  let failed = 0;
  let spentMs = 0;
  const client = async (first: number): Promise<void> => {
    for (let round = first; !signal.aborted; round++) {
      const sentMs = performance.now();
      const isAnswered = await ask(url, manner, { round, agent }).catch(() => false);
      if (isAnswered) answered += 1;
      else failed += 1;
      spentMs += performance.now() - sentMs;
    }
  };
  // Each begins elsewhere, so that bodies which differ by round differ at any time.
  await Promise.all(Array.from({ length: manner.clients ?? 1 }, (_, i) => client(7 * i)));
  agent.destroy();
  const seconds = (performance.now() - startMs) / 1000;
  return { meanMs: spentMs / Math.max(1, answered + failed), perSecond: answered / seconds, failed };
}

/** Whether it was answered. */
async function ask(
  url: string,
  { path, body, headers, isHasty = false, pauseMs = 0 }: ClientManner,
  { round, agent }: { readonly round: number; readonly agent: http.Agent },
): Promise<boolean> {
  const bytes = Buffer.from(body(round));
  const request = http.request(url + path, {
    method: "POST",
    agent: isHasty ? false : agent,
    headers: { "content-type": "application/json", "content-length": bytes.length, ...headers },
  });
  const answered = once(request, "response") as Promise<[http.IncomingMessage]>;
  if (pauseMs > 0) {
    request.write(bytes.subarray(0, bytes.length / 2));
    await sleep(pauseMs);
    request.end(bytes.subarray(bytes.length / 2));
  } else request.end(bytes);
  const [answer] = await answered;
  await once(answer.resume(), "end");
  return answer.statusCode === 200;
}

/** A way to a server on which every piece of what is sent takes so much longer. */
export async function slowWay(
  url: string,
  delayMs: number,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { port } = new URL(url);
  const open = new Set<net.Socket>();
  const way = net.createServer((near) => {
    const far = net.connect(Number(port), "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.setNoDelay(true);
      from.on("data", (chunk) => void setTimeout(() => to.write(chunk), delayMs));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        setTimeout(() => to.destroy(), delayMs);
      });
    }
  });
  await once(way.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(way.address() as AddressInfo).port}`,
    async close() {
      for (const socket of open) socket.destroy();
      way.close();
      await once(way, "close");
    },
  };
}
