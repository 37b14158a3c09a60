import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeModel } from "@sconce/torch";
import { makeCertificate } from "../internals/security.ts";

/** How a server treats those who ask it. `half`: the first half of a content, then silence; `cut`: the first half, then an end. */
export type Mood = "honest" | "down" | "half" | "cut" | "forbidden" | "elsewhere" | "plain-http";

/** A server of one file over HTTPS, with a CA of its own. */
export interface FileServer {
  content: Buffer;
  mood: Mood;
  readonly url: string;
  /** The CA's PEM file. */
  readonly caPath: string;
  /** Ranges that were asked for, without those of one byte that only look. */
  readonly reads: (string | undefined)[];
  close(): void;
}

/** An ONNX model that answers x with x × factor; models of other factors are of other sizes. */
export function multiplier(factor: number): Buffer {
  const value = (name: string) => ({ name, dtype: "float32" as const, dims: ["batch", 1] });
  const sumName = (i: number): string => (i === factor ? "y" : `sum_${i}`);
  const nodes = Array.from({ length: factor }, (_, i) => ({
    type: i === 0 ? "Identity" : "Add",
    domain: "",
    inputs: i === 0 ? ["x"] : [sumName(i), "x"],
    outputs: [sumName(i + 1)],
    attributes: {},
  }));
  const graph = { name: "main", inputs: [value("x")], outputs: [value("y")], initializers: [], nodes };
  return Buffer.from(encodeModel({ opsets: new Map([["", 21]]), graph }));
}

export async function startFileServer(): Promise<FileServer> {
  const folder = mkdtempSync(join(tmpdir(), "sconce-ca-"));
  const ca = makeCertificate({ name: "CA", isCa: true });
  const { cert, key } = makeCertificate({ name: "localhost", by: ca });
  const caPath = join(folder, "ca.pem");
  writeFileSync(caPath, ca.cert);
  const server = createServer({ cert, key }, (request, response) => answer(self, request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const self: FileServer = {
    content: multiplier(1),
    mood: "honest",
    url: `https://localhost:${port}/model.onnx`,
    caPath,
    reads: [],
    close() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
  return self;
}

function answer(self: FileServer, { headers }: IncomingMessage, response: ServerResponse): void {
  const { content, mood } = self;
  const tag = `"${createHash("sha256").update(content).digest("hex").slice(0, 16)}"`;
  if (mood === "down") response.writeHead(503).end();
  else if (mood === "forbidden") response.writeHead(403).end();
  else if (mood === "elsewhere") response.writeHead(302, { Location: "https://127.0.0.1/model.onnx" }).end();
  else if (mood === "plain-http") response.writeHead(302, { Location: "http://localhost/model.onnx" }).end();
  else {
    const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    const isRange = headers.range !== undefined && (headers["if-range"] ?? tag) === tag;
    const part = isRange ? content.subarray(Number(from), to === "" ? undefined : Number(to) + 1) : content;
    const isLook = to === "0";
    if (!isLook) self.reads.push(headers.range);
    response.writeHead(isRange ? 206 : 200, {
      ETag: tag,
      "Content-Length": part.byteLength,
      ...(isRange && {
        "Content-Range": `bytes ${from}-${Number(from) + part.byteLength - 1}/${content.byteLength}`,
      }),
    });
    if (isLook || mood === "honest") response.end(part);
    else {
      response.write(part.subarray(0, part.byteLength >> 1), () => {
        if (mood === "cut") response.destroy();
      });
    }
  }
}
