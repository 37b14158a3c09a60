import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { chooseEncoding } from "./call/compress.ts";
import type { RestCall } from "./call/rest-call.ts";
import type { Route } from "./call/route.ts";

/** What a page is made of: files of this package, by URL. Those that end in `.gz` are packed already. */
export type PageFiles = Readonly<Record<string, URL>>;

const TYPES: readonly (readonly [end: string, type: string])[] = [
  [".html", "text/html; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
];
const [unpack, pack] = [promisify(gunzip), promisify(gzip)];

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

/** A file as it is sent, to who takes gzip and to who does not. Each form is made when somebody first asks for it, and kept. */
interface KeptFile {
  readonly type: string;
  packed(): Promise<Buffer>;
  plain(): Promise<Buffer>;
}

/** Files of pages that were asked for once: who asks for them again and again, and reads nothing, costs no memory. */
export interface PageFileSender {
  /** Rejects for a file that there is not. */
  send(call: RestCall, file: URL): Promise<void>;
}

export function createPageFileSender(): PageFileSender {
  const kept = new Map<string, KeptFile>();
  return {
    async send(call, file) {
      const known = kept.get(file.href) ?? keptFile(file);
      kept.set(file.href, known);
      await known.plain().catch((error: unknown) => {
        kept.delete(file.href);
        throw error;
      });
      const { type } = known;
      const headers = [...HEADERS, "Vary", "Accept-Encoding"];
      if (chooseEncoding(String(call.request.headers["accept-encoding"] ?? "")) === "gzip")
        call.sendKept({
          type,
          body: await known.packed(),
          headers: [...headers, "Content-Encoding", "gzip"],
        });
      else call.sendKept({ type, body: await known.plain(), headers });
    },
  };
}

function keptFile(file: URL): KeptFile {
  const isPacked = file.pathname.endsWith(".gz");
  const name = isPacked ? file.pathname.slice(0, -".gz".length) : file.pathname;
  const [, type] = TYPES.find(([end]) => name.endsWith(end))!; // pages hold no others
  const read = once(() => readFile(file));
  const other = once(async () => (isPacked ? unpack : pack)(await read()));
  return { type, packed: isPacked ? read : other, plain: isPacked ? other : read };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** Sends the files of a page to everybody: who is asked for a key can enter it there. */
export function pageFileRoutes(
  files: PageFiles,
  sender: PageFileSender = createPageFileSender(),
): readonly Route[] {
  return Object.entries(files).map(([url, file]) => ({
    method: "GET",
    urls: [url],
    needs: "nothing",
    run: (call) => sender.send(call, file),
  }));
}
