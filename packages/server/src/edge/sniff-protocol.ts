import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";

/** The client connection preface of HTTP/2 (RFC 9113, section 3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export interface SniffOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The bytes so far decide nothing and the time is over. The socket is still open. */
  onTimeout(): void;
}

/**
 * Reads the first bytes of a fresh socket until they tell its protocol, puts them back unread, and calls `onProtocol` once. The
 * socket is then neither paused nor flowing, as a server expects it. A socket that ends before that is destroyed.
 */
export function sniffProtocol(
  socket: Socket,
  options: SniffOptions,
  onProtocol: (protocol: "http1" | "http2") => void,
): void {
  let head: Buffer | undefined;
  const cancelTimeout = options.clock.after(options.timeoutMs, () => options.onTimeout());
  const settle = () => {
    cancelTimeout();
    socket.off("readable", onReadable);
    socket.off("end", onEnd);
    socket.off("close", settle);
    socket.off("error", ignore);
  };
  const onReadable = () => {
    // From Node 26 on each call gives one piece of what has come.
    for (let piece: Buffer | null = socket.read(); piece !== null; piece = socket.read()) {
      head = head === undefined ? piece : Buffer.concat([head, piece]);
    }
    if (head === undefined) return;
    const protocol = protocolOf(head);
    if (protocol === undefined) return;
    settle();
    socket.unshift(head);
    onProtocol(protocol);
  };
  const onEnd = () => socket.destroy();
  socket.on("readable", onReadable);
  socket.on("end", onEnd);
  socket.on("close", settle);
  socket.on("error", ignore);
}

/** Undefined while the bytes are still a proper beginning of the HTTP/2 preface. */
function protocolOf(head: Buffer): "http1" | "http2" | undefined {
  const length = Math.min(head.length, PREFACE.length);
  for (let i = 0; i < length; i++) if (head[i] !== PREFACE[i]) return "http1";
  return length === PREFACE.length ? "http2" : undefined;
}

// A connection that breaks before it said anything concerns nobody; "close" follows.
function ignore(): void {}
