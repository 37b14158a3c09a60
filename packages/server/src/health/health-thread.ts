import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { createWebGate, type WebGateOptions } from "../gate/web-gate.ts";
import { HealthBoard, sharedNowMs } from "./health-board.ts";

/** What the thread is given. */
export interface HealthThreadData {
  readonly memory: SharedArrayBuffer;
  readonly host: string;
  readonly port: number;
  readonly notReadyStatus: number;
  readonly webGate: WebGateOptions;
}

/** What it says once: where it listens, or why it does not. */
export type HealthThreadMessage =
  | { readonly address: AddressInfo }
  | { readonly error: { readonly message: string; readonly code: string | undefined } };

/** A probe is a few hundred bytes and takes milliseconds; there are a handful of probers. */
const LIMITS = { maxHeaderSize: 4096, headersTimeout: 2_000, requestTimeout: 2_000, keepAliveTimeout: 5_000 };
const MAX_CONNECTIONS = 256;

const { memory, host, port, notReadyStatus, webGate } = workerData as HealthThreadData;
const gate = createWebGate(webGate);
const board = new HealthBoard(memory);
const server = createServer({ ...LIMITS, connectionsCheckingInterval: 1_000 }, answer);
server.maxConnections = MAX_CONNECTIONS;
// A message carries an error without its code.
server.once("error", ({ message, code }: NodeJS.ErrnoException) => tell({ error: { message, code } }));
server.listen({ host, port }, () => {
  // EMFILE and the like concern one connection; the port stays open.
  server.on("error", () => {});
  tell({ address: server.address() as AddressInfo });
});

function tell(message: HealthThreadMessage): void {
  parentPort?.postMessage(message);
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { host: asked, origin } = request.headers;
  const foreign = gate.check(asked, origin);
  if (foreign !== undefined) {
    send(response, 403, { error: foreign.message, reason: foreign.reason });
    return;
  }
  const health = board.judge(sharedNowMs());
  const [path] = (request.url ?? "").split("?", 1);
  if (request.method !== "GET" && request.method !== "HEAD") send(response, 405, { error: "GET only" });
  else if (path === "/v2/health/live")
    send(response, health.live ? 200 : notReadyStatus, { live: health.live });
  else if (path === "/v2/health/ready") send(response, health.ready ? 200 : notReadyStatus, health);
  else send(response, 404, { error: "here are /v2/health/live and /v2/health/ready only" });
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
  });
  response.end(text);
}
