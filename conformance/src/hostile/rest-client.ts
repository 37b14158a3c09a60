import { Agent, request } from "node:http";
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
): { send(request: RestCase): Promise<RestAnswer>; close(): void } {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  return {
    send: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        const outgoing = request({ host: hostname, port, agent, method, path, headers: { ...headers } });
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
