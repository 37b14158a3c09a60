import { Agent, request } from "node:http";
import { request as requestTls, Agent as TlsAgent } from "node:https";
import type { Entry } from "./attack.ts";
import type { RestCase } from "./rest-cases.ts";

export interface RestAnswer {
  readonly status: number;
  /** Headers and body as text: everything that the client gets to see. */
  readonly text: string;
}

/** Sends requests that `fetch` would refuse to send. Connections are kept. */
export function restClient(
  url: string,
  connections: number,
  entry?: Entry,
): { send(request: RestCase): Promise<RestAnswer>; close(): void } {
  const { hostname, port } = new URL(url);
  const options = { keepAlive: true, maxSockets: connections };
  const agent = entry === undefined ? new Agent(options) : new TlsAgent({ ...options, ca: entry.ca });
  const send = entry === undefined ? request : requestTls;
  const key = entry?.key === undefined ? {} : { authorization: `Bearer ${entry.key}` };
  return {
    send: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        const outgoing = send({
          host: hostname,
          port,
          agent,
          method,
          path,
          headers: { ...key, ...headers },
        });
        outgoing.on("response", (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("error", reject);
          answer.on("end", () =>
            resolve({
              status: answer.statusCode ?? 0,
              text: `${answer.rawHeaders.join(" ")}\n${Buffer.concat(chunks).toString()}`,
            }),
          );
        });
        outgoing.on("error", reject);
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}
