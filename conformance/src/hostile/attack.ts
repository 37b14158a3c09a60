import { connect } from "node:net";
import type { Random } from "./random.ts";

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

/** How long an attacker waits for a word, by default: a busy machine may need as long. */
const PATIENCE_MS = 20_000;

/** Sends bytes, and gathers what comes back until the server closes or the time is over. */
export function exchange(
  { port }: Pick<Target, "port">,
  parts: ReadonlyArray<string | Buffer>,
  {
    withinMs = PATIENCE_MS,
    isEnough,
  }: { readonly withinMs?: number; readonly isEnough?: (text: string) => boolean } = {},
): Promise<Heard> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const end = (isClosed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, isClosed });
    };
    const timer = setTimeout(() => end(false), withinMs);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (isEnough?.(text) === true) end(false);
    });
    socket.on("error", () => {});
    socket.on("close", () => end(true));
    for (const part of parts) socket.write(part);
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
