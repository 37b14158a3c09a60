import type { Readable } from "node:stream";

/** One object of a store. */
export interface StoredObject {
  /** Its name below the address, parts joined by `/`. The store's words: see `localName`. */
  readonly key: string;
  readonly byteLength: number;
  /** Changes with the content: an ETag, a generation or a time; "" when the store says nothing of the kind. */
  readonly stamp: string;
}

/** The content of an object, from some byte on. */
export interface ObjectContent {
  /** Where it begins: at the offset asked for, or at 0 when the store sends all of it. */
  readonly offset: number;
  /** Whoever asked reads it to its end, or destroys it. */
  readonly bytes: Readable;
}

/** What lies under one address: a bucket with a prefix, or a file behind a URL. Every call may reject with any error; `storeError` says what it means. */
export interface Store {
  /** All objects, or `limit` of them when there are more; none when the address leads to nothing. */
  list(limit: number, signal: AbortSignal): Promise<readonly StoredObject[]>;
  /** The content of an object as it was listed: rejects when it is another by now. */
  read(
    object: StoredObject,
    options: { readonly offset: number; readonly signal: AbortSignal },
  ): Promise<ObjectContent>;
  close(): void;
}
