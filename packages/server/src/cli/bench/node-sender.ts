import { Agent, type IncomingMessage, request } from "node:http";
import { request as requestSecurely, Agent as SecureAgent } from "node:https";
import { OPEN_ACCESS, type ServerAccess } from "../server-access.ts";
import type { RequestBody } from "./request-body.ts";
import type { Reply, Sender } from "./sender.ts";

export interface RestSenderOptions {
  readonly origin: string;
  readonly body: RequestBody;
  /** What is sent next, where requests differ; default: always `body`. */
  readonly next?: (() => RequestBody) | undefined;
  readonly timeoutMs: number;
  /** Default: of a server that asks nobody who they are. */
  readonly access?: ServerAccess;
  /** Judges the body of an answer with status 200; undefined: any is right. */
  readonly accepts: ((body: Buffer) => boolean) | undefined;
}

/** A connection of `node:http` that posts the same body again and again: for answers that come without their length. */
export function createNodeSender({
  origin,
  body: always,
  next = () => always,
  timeoutMs,
  accepts,
  access = OPEN_ACCESS,
}: RestSenderOptions): Sender {
  const isSecure = new URL(origin).protocol === "https:";
  const kept = { keepAlive: true, maxSockets: 1 };
  const agent = isSecure ? new SecureAgent({ ...kept, ...access.tls }) : new Agent(kept);
  const open = isSecure ? requestSecurely : request;
  return {
    send() {
      const body = next();
      const url = new URL(body.path, origin);
      const headers = { ...access.headers, ...body.headers, "content-length": String(body.bytes.length) };
      return new Promise<Reply>((resolve) => {
        const fail = (outcome: string): void => resolve({ outcome, serverTiming: undefined });
        const call = open(url, { agent, method: "POST", headers, timeout: timeoutMs }, (response) => {
          readReply(response, accepts).then(resolve, () => fail("connection lost"));
        });
        call.on("timeout", () => {
          fail("timeout");
          call.destroy();
        });
        call.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? "connection lost"));
        call.end(body.bytes);
      });
    },
    close: () => agent.destroy(),
  };
}

async function readReply(response: IncomingMessage, accepts: RestSenderOptions["accepts"]): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const timing = response.headers["server-timing"];
  const serverTiming = typeof timing === "string" ? timing : undefined;
  if (response.statusCode !== 200) return { outcome: String(response.statusCode), serverTiming };
  const isRight = accepts === undefined || accepts(Buffer.concat(chunks));
  return { outcome: isRight ? "ok" : "unexpected answer", serverTiming };
}
