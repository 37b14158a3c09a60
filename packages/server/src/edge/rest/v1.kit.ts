// A REST edge on a socket of its own, over models that answer with their inputs.
import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import type { TensorSpec } from "../../base/signature.ts";
import { type MemoryModel, memoryInference } from "./memory-inference.kit.ts";
import { openEdge } from "./rest-edge.kit.ts";

const BATCH = { symbol: "batch", min: 0, max: undefined };
const X: TensorSpec = { name: "x", datatype: "FP32", dims: [BATCH, 2] };
const T: TensorSpec = { name: "t", datatype: "BYTES", dims: [BATCH] };

const echo = (specs: readonly TensorSpec[]): MemoryModel => ({
  inputs: specs,
  outputs: specs,
  run: (inputs) => specs.map(({ name }) => inputs.find((input) => input.name === name)!),
});

export interface RestListener {
  readonly url: string;
  post(path: string, body: string): Promise<{ readonly status: number; readonly body: string }>;
  /** With nothing done to the response. */
  raw(
    path: string,
    parts: { readonly body: string; readonly headers: Readonly<Record<string, string>> },
  ): Promise<{ readonly headers: IncomingHttpHeaders; readonly bytes: Buffer }>;
  close(): void;
}

/** The models `one` (x: FP32 [−1, 2]) and `pair` (the same, and t: BYTES [−1]). */
export async function listenOn(): Promise<RestListener> {
  const { edge } = openEdge(memoryInference({ one: echo([X]), pair: echo([X, T]) }));
  const server = createServer((socket) => edge.accept(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async post(path, body) {
      const answer = await fetch(url + path, { method: "POST", body });
      return { status: answer.status, body: await answer.text() };
    },
    raw: (path, { body, headers }) =>
      new Promise((resolve, reject) => {
        const call = request(url + path, { method: "POST", headers }, async (response) => {
          const chunks: Buffer[] = [];
          for await (const chunk of response) chunks.push(chunk as Buffer);
          resolve({ headers: response.headers, bytes: Buffer.concat(chunks) });
        });
        call.on("error", reject).end(body);
      }),
    close() {
      server.close();
      edge.destroy();
    },
  };
}
