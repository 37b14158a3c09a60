import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { RestCall } from "./call/rest-call.ts";
import type { Route } from "./call/route.ts";

/** What `/docs` is made of: the package's own files, by URL. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/docs": ["index.html", "text/html; charset=utf-8"],
  "/docs/start.js": ["start.js", "text/javascript; charset=utf-8"],
  "/docs/look.css": ["look.css", "text/css; charset=utf-8"],
  "/docs/renderer.js": ["renderer.js.gz", "text/javascript; charset=utf-8"],
  "/docs/renderer.css": ["renderer.css.gz", "text/css; charset=utf-8"],
};
const FOLDER = new URL("../../../pages/docs/", import.meta.url);
const unpack = promisify(gunzip);

/** Scripts, styles and requests of this server's own, nothing inline, nothing from or to anywhere else; pictures that styles hold. */
const HEADERS = [
  "Content-Security-Policy",
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options",
  "nosniff",
  "Referrer-Policy",
  "no-referrer",
  "Cache-Control",
  "max-age=300",
];

/** `/docs`: a page that shows `/openapi.json` and sends what its reader tries. Read when it is asked for. */
export function docsRoutes(): readonly Route[] {
  return Object.entries(FILES).map(([url, [file, type]]) => ({
    method: "GET",
    urls: [url],
    needs: "nothing",
    run: (call) => sendFile(call, file, type),
  }));
}

async function sendFile(call: RestCall, file: string, type: string): Promise<void> {
  const bytes = await readFile(new URL(file, FOLDER));
  call.send(200, type, file.endsWith(".gz") ? await unpack(bytes) : bytes, [...HEADERS]);
}
