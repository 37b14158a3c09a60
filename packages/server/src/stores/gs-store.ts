import { PassThrough, pipeline, type Readable } from "node:stream";
import type { Bucket } from "@google-cloud/storage";
import { gatherAtMost } from "../base/gather-at-most.ts";
import { peerPackage } from "./peer-package.ts";
import { PrefixListing } from "./prefix-listing.ts";
import { MAX_RESPONSE_BYTES, tooLong } from "./response-limit.ts";
import type { ObjectContent, Store, StoredObject } from "./store.ts";
import type { StoreAddress } from "./store-address.ts";
import { mayPass, refused, statusError } from "./store-error.ts";

/** What is used of the metadata of an object. */
interface ObjectFacts {
  readonly name?: unknown;
  readonly size?: unknown;
  readonly generation?: unknown;
}

const RETRIES = { autoRetry: true, maxRetries: 2, totalTimeout: 30 };
const FACTS = "name,size,generation";

/** Objects of a bucket of Google Cloud Storage, by Google's client: credentials and endpoint are what its own chain finds. */
export async function createGsStore(
  { bucket: name, prefix }: StoreAddress,
  { pageObjects }: { readonly pageObjects: number },
): Promise<Store> {
  const { Storage } = await peerPackage("@google-cloud/storage", () => import("@google-cloud/storage"));
  const bucket = new Storage({ retryOptions: RETRIES }).bucket(name);
  const listing = new PrefixListing(prefix);
  const { below } = listing;

  async function listBelow(limit: number, signal: AbortSignal): Promise<StoredObject[]> {
    const objects: StoredObject[] = [];
    let pageToken: unknown;
    do {
      const page = await factsOf(bucket, {
        path: "/o",
        query: {
          prefix: below,
          maxResults: pageObjects,
          fields: `items(${FACTS}),nextPageToken`,
          ...(pageToken === undefined ? {} : { pageToken }),
        },
        signal,
      });
      for (const facts of Array.isArray(page["items"]) ? (page["items"] as ObjectFacts[]) : []) {
        const key = String(facts.name);
        if (key.startsWith(below)) objects.push(storedObject(key.slice(below.length), facts));
      }
      pageToken = page["nextPageToken"];
    } while (pageToken !== undefined && objects.length < limit);
    return objects.slice(0, limit);
  }
  async function readOne(key: string, signal: AbortSignal): Promise<StoredObject> {
    return storedObject(
      key,
      await factsOf(bucket, { path: pathOf(prefix), query: { fields: FACTS }, signal }),
    );
  }
  return {
    list: (limit, signal) =>
      listing.list({
        listBelow: () => listBelow(limit, signal),
        readOne: (key) => readOne(key, signal),
      }),
    async read({ key, stamp }, { offset, signal }) {
      const query = { alt: "media", ...(stamp !== "" && { generation: stamp }) };
      const headers = {
        "Accept-Encoding": "gzip",
        "Cache-Control": "no-store",
        ...(offset > 0 && { Range: `bytes=${offset}-` }),
      };
      const path = pathOf(listing.nameOf(key));
      return contentOf(await ask(bucket, { path, query, headers, signal }), stamp);
    },
    close() {},
  };
}

function contentOf({ status, headers, bytes, cut }: Response, stamp: string): ObjectContent {
  const sent = headers["x-goog-generation"];
  const isReplaced = sent !== undefined && String(sent) !== stamp;
  if (status < 300 && !isReplaced) {
    const [, start = "0"] = /^bytes (\d+)-/.exec(String(headers["content-range"] ?? "")) ?? [];
    return { offset: status === 206 ? Number(start) : 0, bytes };
  }
  cut();
  throw isReplaced ? mayPass("it was replaced while it was read") : statusError(status);
}

function pathOf(key: string): string {
  return `/o/${encodeURIComponent(key)}`;
}

function storedObject(key: string, { size, generation = "" }: ObjectFacts): StoredObject {
  const byteLength = Number(size);
  if (!Number.isSafeInteger(byteLength) || byteLength < 0)
    throw refused("it does not say how large a file is");
  return { key, byteLength, stamp: String(generation) };
}

interface Question {
  /** Below the bucket's own. */
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly bytes: Readable;
  /** Of an answer that is not read to its end: ends its connection. */
  cut(): void;
}

/** What a request of the client's tells of its response. */
interface Responded {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly request?: { readonly agent?: { destroy?(): void } | false };
}

/** A document of JSON, up to a limit: the client's own calls read it to its end, wherever that is. */
async function factsOf(bucket: Bucket, question: Question): Promise<Readonly<Record<string, unknown>>> {
  const { status, bytes, cut } = await ask(bucket, question);
  if (status >= 300) {
    cut();
    throw statusError(status);
  }
  const text = await gatherAtMost(bytes as AsyncIterable<Buffer>, MAX_RESPONSE_BYTES);
  if (text === undefined) {
    cut();
    throw tooLong();
  }
  let facts: unknown;
  try {
    facts = JSON.parse(text.toString());
  } catch (error) {
    throw refused("it answers with something else than JSON", error);
  }
  if (typeof facts !== "object" || facts === null)
    throw refused("it answers with something else than a list");
  return facts as Readonly<Record<string, unknown>>;
}

function ask(bucket: Bucket, { path, query, headers = {}, signal }: Question): Promise<Response> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    // What it returns is typed as another package's request, and is a stream.
    const stream = bucket.requestStream({ uri: path, qs: query, headers }) as unknown as Readable;
    const bytes = new PassThrough();
    let cut = (): void => void bytes.destroy();
    stream.once("response", ({ statusCode, headers: sent, request }: Responded) => {
      cut = () => {
        bytes.destroy();
        // The package leaves connections open whose responses nobody reads.
        if (request?.agent) request.agent.destroy?.();
      };
      resolve({ status: statusCode, headers: sent, bytes, cut });
    });
    stream.once("error", reject);
    pipeline(stream, bytes, () => {});
    const stop = (): void => {
      cut();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    bytes.once("close", () => signal.removeEventListener("abort", stop));
  });
}
