import { peerPackage } from "./peer-package.ts";
import type { Store, StoredObject } from "./store.ts";
import type { StoreAddress } from "./store-address.ts";
import { mayPass, refused, statusError, storeError } from "./store-error.ts";

/** What is used of the metadata of an object. */
interface ObjectFacts {
  readonly size?: string | number | undefined;
  readonly generation?: string | number | undefined;
}

const REPLACED = "it was replaced while it was read";
const RETRIES = { autoRetry: true, maxRetries: 2, totalTimeout: 30 };

/** Objects of a bucket of Google Cloud Storage, by Google's client: credentials and endpoint are what its own chain finds. */
export async function createGsStore(
  { bucket: name, prefix }: StoreAddress,
  { pageObjects }: { readonly pageObjects: number },
): Promise<Store> {
  const { Storage } = await peerPackage("@google-cloud/storage", () => import("@google-cloud/storage"));
  const bucket = new Storage({ retryOptions: RETRIES }).bucket(name);
  const below = prefix === "" ? "" : `${prefix}/`;

  async function listBelow(limit: number, signal: AbortSignal): Promise<StoredObject[]> {
    const objects: StoredObject[] = [];
    let pageToken: string | undefined;
    do {
      signal.throwIfAborted();
      const [files, next] = await bucket.getFiles({
        prefix: below,
        autoPaginate: false,
        maxResults: pageObjects,
        ...(pageToken && { pageToken }),
      });
      for (const file of files) {
        if (file.name.startsWith(below))
          objects.push(storedObject(file.name.slice(below.length), file.metadata));
      }
      pageToken = (next as { pageToken?: string } | null)?.pageToken;
    } while (pageToken !== undefined && objects.length < limit);
    return objects.slice(0, limit);
  }
  async function listOne(): Promise<StoredObject[]> {
    try {
      const [metadata] = await bucket.file(prefix).getMetadata();
      return [storedObject(prefix.slice(prefix.lastIndexOf("/") + 1), metadata)];
    } catch (error) {
      if (storeError(error).message === statusError(404).message) return [];
      throw error;
    }
  }
  let isOne = false;
  return {
    async list(limit, signal) {
      const objects = await listBelow(limit, signal);
      isOne = objects.length === 0 && prefix !== "";
      return isOne ? listOne() : objects;
    },
    async read({ key, stamp }, { offset, signal }) {
      signal.throwIfAborted();
      const file = bucket.file(isOne ? prefix : `${below}${key}`, {
        ...(stamp !== "" && { generation: stamp }),
      });
      // Its own check of the content needs all of it in one go; the length is checked by whoever reads.
      const bytes = file.createReadStream({
        validation: false,
        decompress: false,
        ...(offset > 0 && { start: offset }),
      });
      bytes.once("response", ({ headers }: { headers: Readonly<Record<string, unknown>> }) => {
        const sent = headers["x-goog-generation"];
        if (sent !== undefined && String(sent) !== stamp) bytes.destroy(mayPass(REPLACED));
      });
      signal.addEventListener("abort", () => bytes.destroy(), { once: true });
      return { offset, bytes };
    },
    close() {},
  };
}

function storedObject(key: string, { size, generation = "" }: ObjectFacts): StoredObject {
  const byteLength = Number(size);
  if (!Number.isSafeInteger(byteLength)) throw refused("it does not say how large a file is");
  return { key, byteLength, stamp: String(generation) };
}
