import { Agent } from "node:https";
import { Readable } from "node:stream";
import type { S3Client as Client } from "@aws-sdk/client-s3";
import { ServeError } from "../base/errors.ts";
import { peerPackage } from "./peer-package.ts";
import { PrefixListing } from "./prefix-listing.ts";
import { ResponseLimit, tooLong } from "./response-limit.ts";
import type { Store, StoredObject } from "./store.ts";
import type { StoreAddress } from "./store-address.ts";
import { refused } from "./store-error.ts";

/** Objects of a bucket that speaks Amazon S3, by Amazon's SDK: credentials, region and endpoint are what its own chain finds. */
export async function createS3Store(
  { bucket, prefix }: StoreAddress,
  {
    ca,
    timeoutMs,
    pageObjects,
  }: {
    readonly ca: readonly string[] | undefined;
    readonly timeoutMs: number;
    readonly pageObjects: number;
  },
): Promise<Store> {
  const { S3Client, ListObjectsV2Command, HeadObjectCommand, GetObjectCommand } = await peerPackage(
    "@aws-sdk/client-s3",
    () => import("@aws-sdk/client-s3"),
  );
  // Which Node it runs on is said by the pages, not in the middle of a log.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const client = new S3Client({
    // A server of another maker than Amazon knows no bucket as part of a host name.
    ...(process.env["AWS_ENDPOINT_URL"] || process.env["AWS_ENDPOINT_URL_S3"]
      ? { forcePathStyle: true }
      : {}),
    requestHandler: {
      connectionTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      ...(ca === undefined ? {} : { httpsAgent: new Agent({ keepAlive: true, ca: [...ca] }) }),
    },
  });
  limitResponses(client);
  const listing = new PrefixListing(prefix);
  const { below } = listing;

  async function listBelow(limit: number, abortSignal: AbortSignal): Promise<StoredObject[]> {
    const objects: StoredObject[] = [];
    let next: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: below,
          MaxKeys: pageObjects,
          ...(next && { ContinuationToken: next }),
        }),
        { abortSignal },
      );
      for (const { Key = "", Size = 0, ETag = "" } of page.Contents ?? []) {
        if (Key.startsWith(below))
          objects.push({ key: Key.slice(below.length), byteLength: Size, stamp: ETag });
      }
      next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (next !== undefined && objects.length < limit);
    return objects.slice(0, limit);
  }
  async function readOne(key: string, abortSignal: AbortSignal): Promise<StoredObject> {
    const { ContentLength, ETag = "" } = await client.send(
      new HeadObjectCommand({ Bucket: bucket, Key: prefix }),
      { abortSignal },
    );
    if (ContentLength === undefined) throw refused("it does not say how large the file is");
    return { key, byteLength: ContentLength, stamp: ETag };
  }
  return {
    list: (limit, signal) =>
      listing.list({
        listBelow: () => listBelow(limit, signal),
        readOne: (key) => readOne(key, signal),
      }),
    async read({ key, stamp }, { offset, signal }) {
      const { Body, ContentRange } = await client.send(
        new GetObjectCommand({
          Bucket: bucket,
          Key: listing.nameOf(key),
          ...(stamp !== "" && { IfMatch: stamp }),
          ...(offset > 0 && { Range: `bytes=${offset}-` }),
        }),
        { abortSignal: signal },
      );
      if (Body === undefined) throw refused("it sends no content");
      return { offset: Number(/^bytes (\d+)-/.exec(ContentRange ?? "")?.[1] ?? 0), bytes: Body as Readable };
    },
    close: () => client.destroy(),
  };
}

/** What the SDK gathers before it reads it: lists, and what is said with an error. The content of an object is not of that kind. */
function limitResponses({ middlewareStack }: Client): void {
  middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args);
        const { response } = result as { response: { statusCode: number; body: unknown } };
        const { body } = response;
        const isContent = commandName === "GetObjectCommand" && response.statusCode < 300;
        if (!isContent && body instanceof Readable) response.body = body.pipe(new ResponseLimit(body));
        return result;
      },
    // Nothing is nearer to the network, so that whoever reads the answer reads what is left of it.
    { step: "deserialize", priority: "low", name: "limitResponses" },
  );
  middlewareStack.add(
    (next) => (args) =>
      next(args).catch((error: unknown) => {
        // The SDK adds advice to whatever is thrown while it reads.
        throw error instanceof ServeError ? tooLong() : error;
      }),
    { step: "initialize", priority: "high", name: "tellLimit" },
  );
}
