import { connect, isIP, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { timerDelayMs } from "../../base/clock.ts";
import { OPEN_ACCESS } from "../server-access.ts";
import { createNodeSender, type RestSenderOptions } from "./node-sender.ts";
import type { Reply, Sender } from "./sender.ts";

const NOTHING: Buffer = Buffer.alloc(0);
const HEAD_END = "\r\n\r\n";
const MAX_HEAD_BYTES = 65_536;
/** `HTTP/1.1 200`: where the status stands. */
const STATUS_AT = 9;

/** An answer that is being read. */
interface Reading {
  readonly status: string;
  readonly serverTiming: string | undefined;
  readonly closes: boolean;
  left: number;
  readonly chunks: Buffer[];
}

/**
 * A connection that is kept open and posts the same bytes again and again. It reads no more of HTTP than a load needs, which takes a fraction of
 * the processor time of `node:http`; an answer without its length is asked for again there, and so are all after it.
 */
export function createRestSender(options: RestSenderOptions): Sender {
  const { origin, body, timeoutMs, accepts, access = OPEN_ACCESS } = options;
  const { hostname, port, protocol } = new URL(origin);
  const always = requestBytes(body, { origin, access });
  let socket: Socket | undefined;
  let waiting: ((reply: Reply) => void) | undefined;
  let held = NOTHING;
  let reading: Reading | undefined;
  let fallback: Sender | undefined;

  function settle(outcome: string, serverTiming?: string): void {
    const resolve = waiting;
    waiting = undefined;
    reading = undefined;
    held = NOTHING;
    resolve?.({ outcome, serverTiming });
  }

  function drop(outcome: string): void {
    socket?.destroy();
    socket = undefined;
    settle(outcome);
  }

  function fallBack(): void {
    const resolve = waiting;
    waiting = undefined;
    drop("");
    fallback = createNodeSender(options);
    fallback.send().then((reply) => resolve?.(reply));
  }

  function take(chunk: Buffer): void {
    let rest = chunk;
    if (reading === undefined) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const end = held.indexOf(HEAD_END);
      if (end < 0) {
        if (held.length > MAX_HEAD_BYTES) drop("no HTTP");
        return;
      }
      reading = readHead(held.toString("latin1", 0, end));
      if (reading === undefined) {
        fallBack();
        return;
      }
      rest = held.subarray(end + HEAD_END.length);
    }
    reading.left -= rest.length;
    if (accepts !== undefined) reading.chunks.push(rest);
    if (reading.left > 0) return;
    const { status, serverTiming, closes, chunks } = reading;
    if (closes) {
      socket?.destroy();
      socket = undefined;
    }
    const isRight = status !== "200" || accepts === undefined || accepts(Buffer.concat(chunks));
    settle(status !== "200" ? status : isRight ? "ok" : "unexpected answer", serverTiming);
  }

  function openSocket(): Socket {
    const own = hostname.replace(/^\[(.*)\]$/, "$1");
    if (protocol === "http:") return connect({ host: own, port: Number(port || 80), noDelay: true });
    const servername = isIP(own) === 0 ? { servername: own } : {};
    const secured = connectSecurely({ host: own, port: Number(port || 443), ...servername, ...access.tls });
    return secured.setNoDelay(true);
  }

  function opened(): Socket {
    const made = openSocket();
    const lost = (outcome: string): void => {
      if (socket === made) drop(outcome);
    };
    made.on("data", (chunk) => {
      if (socket === made) take(chunk);
    });
    made.on("error", (error: NodeJS.ErrnoException) => lost(error.code ?? "connection lost"));
    made.on("close", () => lost("connection lost"));
    made.setTimeout(timerDelayMs(timeoutMs), () => lost("timeout"));
    return made;
  }

  return {
    send() {
      if (fallback !== undefined) return fallback.send();
      return new Promise<Reply>((resolve) => {
        waiting = resolve;
        socket ??= opened();
        if (options.next === undefined) socket.write(always);
        else socket.write(requestBytes(options.next(), { origin, access }));
      });
    },
    close() {
      drop("closed");
      fallback?.close();
    },
  };
}

function requestBytes(
  { path, headers, bytes }: RestSenderOptions["body"],
  { origin, access }: Required<Pick<RestSenderOptions, "origin" | "access">>,
): Buffer {
  const lines = [`POST ${path} HTTP/1.1`, `host: ${new URL(origin).host}`, `content-length: ${bytes.length}`];
  for (const [name, value] of Object.entries({ ...access.headers, ...headers }))
    lines.push(`${name}: ${value}`);
  return Buffer.concat([Buffer.from(lines.join("\r\n") + HEAD_END), bytes]);
}

/** What a load needs of an answer's head; undefined when it does not say how long the body is. */
function readHead(head: string): Reading | undefined {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) return undefined;
  return {
    status: head.slice(STATUS_AT, STATUS_AT + 3),
    serverTiming: /\r\nserver-timing: *([^\r]*)/i.exec(head)?.[1],
    closes: /\r\nconnection: *close/i.test(head),
    left: Number(length),
    chunks: [],
  };
}
