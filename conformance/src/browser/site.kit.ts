import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** A web site, as somebody else's server has it. */
export interface Site {
  readonly origin: string;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

/**
 * Serves these files, by their paths, from an origin of its own: `/` is an empty page unless it is among them. What is asked for under `/silent`
 * is never answered. `folder`: where everything else lies.
 */
export async function serveSite(
  files: Readonly<Record<string, string | Buffer>>,
  folder?: string,
): Promise<Site> {
  const all: Readonly<Record<string, string | Buffer>> = {
    "/": '<!doctype html><html lang="en"><title>a site</title><link rel="icon" href="data:,"></html>',
    ...files,
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://site").pathname;
    if (path.startsWith("/silent")) return;
    const body = all[path] ?? fileIn(folder, path);
    const type = TYPES[/\.(\w+)$/.exec(path)?.[1] ?? "html"] ?? "application/octet-stream";
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a port was asked for
  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function fileIn(folder: string | undefined, path: string): Buffer | undefined {
  if (folder === undefined) return undefined;
  try {
    return readFileSync(join(folder, path.endsWith("/") ? `${path}index.html` : path));
  } catch {
    return undefined; // 404
  }
}
