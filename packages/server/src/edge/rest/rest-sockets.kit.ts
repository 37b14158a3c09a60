import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { after } from "node:test";
import type { Inference } from "../../infer/inference.ts";
import { openEdge, type TestEdge } from "./rest-edge.kit.ts";
import type { RestEdgeOptions } from "./rest-edge.ts";

export interface Listening extends TestEdge {
  readonly port: number;
}

/** An edge behind a listener that hands over its sockets, as in the server. */
export async function listen(
  inference: Inference,
  options: Partial<RestEdgeOptions> = {},
): Promise<Listening> {
  const opened = openEdge(inference, options);
  const listener = createServer({ allowHalfOpen: true }, (socket) => opened.edge.accept(socket));
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  after(() => {
    opened.edge.destroy();
    listener.close();
  });
  return { ...opened, port: (listener.address() as AddressInfo).port };
}

export interface TestRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly payload?: string | Buffer;
}

export interface TestResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const agent = new Agent({ keepAlive: true });

/** Sends a request as an HTTP client does, on a connection that is kept alive. */
export function send(
  port: number,
  { method, url, headers = {}, payload }: TestRequest,
): Promise<TestResponse> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, method, path: url, headers, agent };
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    sent.on("error", reject);
    sent.end(payload);
  });
}

/** Sends bytes and collects all that comes back until the server closes. */
export function raw(port: number, ...parts: Array<string | Buffer>): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("close", () => resolve(text));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "EPIPE" ? undefined : reject(error),
    );
    for (const part of parts) socket.write(part);
  });
}

export const BODY = '{"inputs":[{"name":"in","shape":[1,2],"datatype":"FP32","data":[1,2]}]}';

/** A POST request as bytes; the server closes after it. */
export function post(path: string, body: string | Buffer, headers = ""): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (?:100 Continue\r\n\r\nHTTP\/1\.1 )?(\d{3})/.exec(answer)?.[1]);
}
