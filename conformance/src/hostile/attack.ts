import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Random } from "./random.ts";

/** How one comes in where the port speaks TLS and asks for keys. */
export interface Entry {
  /** Who signed the server's certificate, as PEM. */
  readonly ca: Buffer;
  /** What attackers send as theirs; undefined: they are strangers. */
  readonly key: string | undefined;
  /** The key of those who ask in good faith. */
  readonly goodKey: string;
  /** A key for another model than the one that serves. */
  readonly otherKey: string;
}

/** The server under attack, and what is asked of it in good faith. */
export interface Target {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** Undefined where the server runs elsewhere; then nothing is signalled and no memory is watched. */
  readonly pid: number | undefined;
  /** A model that serves, and a v2 request that it answers. */
  readonly model: string;
  readonly body: string;
  readonly random: Random;
  /** Undefined: there is neither TLS nor authentication. */
  readonly entry?: Entry | undefined;
  /** What the server has written so far, standard output and error together; undefined where it runs elsewhere. */
  output?(): string;
  /** Told of everything that a server said to an attacker: what came back over a connection, or the status of a gRPC call. */
  onHeard?(said: { readonly text: string } | { readonly grpcStatus: string }): void;
}

/** One way to hurt a server. */
export interface Attack {
  readonly group: string;
  readonly name: string;
  /** What must hold, in words. */
  readonly holds: string;
  /** What does not; empty when all is well. That the server goes on serving others is looked at for every attack. */
  run(target: Target): Promise<string>;
}

export interface Heard {
  readonly text: string;
  readonly isClosed: boolean;
}

/** A connection to the server, over TLS where it speaks it. */
export function dial({ port, entry }: Pick<Target, "port" | "entry">): Socket {
  if (entry === undefined) return connect(port, "127.0.0.1");
  return connectTls({ port, host: "127.0.0.1", ca: entry.ca });
}

const HOST_LINE = /^Host: localhost\r\n/gm;

/** The bytes with the attacker's key behind each `Host` line of theirs. */
export function asCaller({ entry }: Pick<Target, "entry">, bytes: string | Buffer): string | Buffer {
  if (entry?.key === undefined || bytes.length === 0) return bytes;
  const text = typeof bytes === "string" ? bytes : bytes.toString("latin1");
  const keyed = text.replace(HOST_LINE, `$&${authorization(entry.key)}\r\n`);
  return typeof bytes === "string" ? keyed : Buffer.from(keyed, "latin1");
}

function authorization(key: string): string {
  return `Authorization: Bearer ${key}`;
}

/** How long an attacker waits for a word, by default: a busy machine may need as long. */
const PATIENCE_MS = 60_000;

/** Sends bytes, and gathers what comes back until the server closes or the time is over. */
export function exchange(
  target: Pick<Target, "port" | "entry" | "onHeard">,
  parts: ReadonlyArray<string | Buffer>,
  {
    withinMs = PATIENCE_MS,
    isEnough,
  }: { readonly withinMs?: number; readonly isEnough?: (text: string) => boolean } = {},
): Promise<Heard> {
  return new Promise((resolve) => {
    const socket = dial(target);
    let text = "";
    const end = (isClosed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      target.onHeard?.({ text });
      resolve({ text, isClosed });
    };
    const timer = setTimeout(() => end(false), withinMs);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (isEnough?.(text) === true) end(false);
    });
    socket.on("error", () => {});
    socket.on("close", () => end(true));
    for (const part of parts) socket.write(asCaller(target, part));
  });
}

/** Statuses of all responses in what came back, interim ones left out. */
export function statusesOf({ text }: Heard): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)]
    .map(([, status]) => Number(status))
    .filter((s) => s !== 100);
}

/** A POST to the model's inference as bytes; the connection is closed after it. */
export function inferPost({ model }: Target, body: string | Buffer, headers = ""): Buffer {
  const head = `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), Buffer.from(body)]);
}

/** The text, and behind it what its lines of base64 say: the frames of gRPC-Web in text are such. */
export function withoutBase64(text: string): string {
  const lines = text.split("\r\n").filter((line) => /^[A-Za-z0-9+/=]{8,}$/.test(line));
  return [text, ...lines.map((line) => Buffer.from(line, "base64").toString("latin1"))].join("\n");
}
