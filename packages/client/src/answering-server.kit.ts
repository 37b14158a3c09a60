import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a test's server answers; called once per request. */
export type Answer = (response: ServerResponse, request: IncomingMessage, body: Buffer) => void;

/** A real HTTP server on a free port that answers as it is told, and counts. */
export interface AnsweringServer {
  readonly url: string;
  requests: number;
  answer: Answer;
  close(): Promise<void>;
}

export async function answeringServer(answer: Answer): Promise<AnsweringServer> {
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    self.requests += 1;
    self.answer(response, request, Buffer.concat(chunks));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const self: AnsweringServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: 0,
    answer,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return self;
}

/** An answer as JSON. */
export function jsonAnswer(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  };
}
