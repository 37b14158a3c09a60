import type { Socket } from "node:net";
import { ServeError } from "../base/errors.ts";

/** The first byte of a TLS record that carries a handshake (RFC 8446 §5.1). */
const HANDSHAKE = 0x16;
/** With this begins the preface of HTTP/2, and no method that this server knows. */
const PREFACE_BEGINNING = "PRI";
const GOAWAY_FIXED_BYTES = 8;
const INADEQUATE_SECURITY = 0xc;

/** How a connection begins: with TLS, or as its client would speak without. */
type Beginning = "tls" | "http1" | "http2";

const WORDS = "this port speaks TLS: use https:// (gRPC clients: TLS credentials)";

/** What tells a client that forgot TLS about it, in the protocol that it speaks. */
export const NOT_TLS_RESPONSES: Readonly<Record<"http1" | "http2", Buffer>> = {
  http1: httpResponse(new ServeError("invalid_argument", WORDS, { reason: "tls_required" })),
  http2: goAway(WORDS),
};

/** Looks at the first bytes of a fresh socket, puts them back unread, and calls `onBeginning` once. A socket that ends before that is destroyed. */
export function sniffTls(socket: Socket, onBeginning: (beginning: Beginning) => void): void {
  const onReadable = () => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    socket.off("readable", onReadable);
    socket.off("end", onEnd);
    socket.off("error", ignore);
    const beginning = beginningOf(bytes);
    if (beginning === "tls") socket.unshift(bytes);
    else {
      socket.on("error", ignore);
      socket.resume();
    }
    onBeginning(beginning);
  };
  const onEnd = () => socket.destroy();
  socket.on("readable", onReadable);
  socket.on("end", onEnd);
  socket.on("error", ignore);
}

function beginningOf(bytes: Buffer): Beginning {
  if (bytes[0] === HANDSHAKE) return "tls";
  return bytes.toString("latin1", 0, PREFACE_BEGINNING.length) === PREFACE_BEGINNING ? "http2" : "http1";
}

function httpResponse({ message, reason }: ServeError): Buffer {
  const body = JSON.stringify({ error: message, reason });
  return Buffer.from(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    "latin1",
  );
}

/** Empty SETTINGS, which a server must begin with, and GOAWAY with the words (RFC 9113 §6.8). */
function goAway(words: string): Buffer {
  const length = GOAWAY_FIXED_BYTES + words.length;
  const settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
  const head = [0, length >> 8, length & 0xff, 7, 0, 0, 0, 0, 0];
  const goaway = [0, 0, 0, 0, 0, 0, 0, INADEQUATE_SECURITY];
  return Buffer.concat([Buffer.from([...settings, ...head, ...goaway]), Buffer.from(words, "latin1")]);
}

// A connection that breaks before it said anything concerns nobody; "close" follows.
function ignore(): void {}
