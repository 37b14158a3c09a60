import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { localName } from "./local-name.ts";
import type { ObjectContent, Store, StoredObject } from "./store.ts";
import type { StoreAddress } from "./store-address.ts";
import { mayPass, refused, statusError } from "./store-error.ts";

export interface HttpsStoreOptions {
  /** Certificates of the only CAs to trust, as PEM; undefined: those that Node trusts. */
  readonly ca: readonly string[] | undefined;
}

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const WANTED: Readonly<Record<string, string>> = { "Accept-Encoding": "identity", "User-Agent": "sconce" };

/** One file behind a URL. */
export function createHttpsStore(address: StoreAddress, { ca }: HttpsStoreOptions): Store {
  const agent = new Agent({ keepAlive: true, maxSockets: 2, ...(ca === undefined ? {} : { ca: [...ca] }) });
  const get = async (
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> => {
    let url = new URL(address.url);
    for (let i = 0; i <= MAX_REDIRECTS; i += 1) {
      const response = await respond(url, { agent, headers: { ...WANTED, ...headers }, signal });
      if (!REDIRECTS.has(response.statusCode ?? 0)) return response;
      response.destroy();
      url = redirected(url, response.headers.location, address);
    }
    throw refused(`it redirects more than ${MAX_REDIRECTS} times`);
  };
  return {
    async list(_limit, signal) {
      // A signed URL allows GET alone, so that the first byte is asked for in place of HEAD.
      const response = await get({ Range: "bytes=0-0" }, signal);
      response.destroy();
      const status = response.statusCode ?? 0;
      if (status !== 200 && status !== 206) throw statusError(status);
      const byteLength = status === 206 ? rangeOf(response).total : lengthOf(response);
      if (localName(address.lastPart) === undefined)
        throw refused("the URL does not end in the name of a file");
      return [{ key: address.lastPart, byteLength, stamp: stampOf(response) }];
    },
    async read(object, { offset, signal }) {
      const validator = strongStamp(object);
      const from = validator === undefined ? 0 : offset;
      const headers = from === 0 ? {} : { Range: `bytes=${from}-`, "If-Range": validator ?? "" };
      return contentOf(await get(headers, signal), object, from);
    },
    close: () => agent.destroy(),
  };
}

function contentOf(response: IncomingMessage, object: StoredObject, from: number): ObjectContent {
  const status = response.statusCode ?? 0;
  try {
    if (status !== 200 && status !== 206) throw statusError(status);
    if (stampOf(response) !== object.stamp) throw mayPass("it was replaced while it was read");
    const offset = status === 206 ? rangeOf(response).start : 0;
    const total = status === 206 ? rangeOf(response).total : lengthOf(response);
    if (offset !== 0 && offset !== from)
      throw refused("it sends another part of the file than was asked for");
    if (total !== object.byteLength) throw mayPass("it was replaced while it was read");
    return { offset, bytes: response };
  } catch (error) {
    response.destroy();
    throw error;
  }
}

function respond(
  url: URL,
  {
    agent,
    headers,
    signal,
  }: {
    readonly agent: Agent;
    readonly headers: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
  },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { agent, headers, signal }, resolve).once("error", reject).end();
  });
}

/** Where a redirect leads. To another host only where a digest says what must come from there. */
function redirected(from: URL, location: string | undefined, { sha256 }: StoreAddress): URL {
  if (location === undefined || !URL.canParse(location, from.href))
    throw refused("it redirects without saying where");
  const to = new URL(location, from);
  if (to.protocol !== "https:") throw refused("it redirects away from https");
  if (to.host !== from.host && sha256 === undefined) {
    throw refused(
      `it redirects to another host, ${to.host}: name the file there, or add #sha256= and its digest to the address`,
    );
  }
  return to;
}

function rangeOf({ headers }: IncomingMessage): { readonly start: number; readonly total: number } {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers["content-range"] ?? "") ?? [];
  if (start === undefined) throw refused("it does not say how large the file is");
  return { start: Number(start), total: Number(total) };
}

function lengthOf({ headers }: IncomingMessage): number {
  const length = headers["content-length"];
  if (length === undefined || !/^\d+$/.test(length)) throw refused("it does not say how large the file is");
  return Number(length);
}

function stampOf({ headers }: IncomingMessage): string {
  return headers.etag ?? headers["last-modified"] ?? "";
}

/** What `If-Range` may be asked with: a weak ETag says no more than that the file means the same. */
function strongStamp({ stamp }: StoredObject): string | undefined {
  return stamp === "" || stamp.startsWith("W/") ? undefined : stamp;
}
