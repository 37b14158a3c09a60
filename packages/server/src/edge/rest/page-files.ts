import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { RestCall } from "./call/rest-call.ts";
import type { Route } from "./call/route.ts";

/** What a page is made of: files of this package, by URL. Those that end in `.gz` are sent unpacked. */
export type PageFiles = Readonly<Record<string, URL>>;

const TYPES: readonly (readonly [end: string, type: string])[] = [
  [".html", "text/html; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
];
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

/** Sends the files of a page to everybody: who is asked for a key can enter it there. They are read when they are asked for. */
export function pageFileRoutes(files: PageFiles): readonly Route[] {
  return Object.entries(files).map(([url, file]) => ({
    method: "GET",
    urls: [url],
    needs: "nothing",
    run: (call) => sendPageFile(call, file),
  }));
}

export async function sendPageFile(call: RestCall, file: URL): Promise<void> {
  const isPacked = file.pathname.endsWith(".gz");
  const name = isPacked ? file.pathname.slice(0, -".gz".length) : file.pathname;
  const [, type] = TYPES.find(([end]) => name.endsWith(end))!; // pages hold no others
  const bytes = await readFile(file);
  call.send(200, type, isPacked ? await unpack(bytes) : bytes, [...HEADERS]);
}
