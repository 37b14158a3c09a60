import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { ObjectContent, Store, StoredObject } from "./store.ts";
import { mayPass, statusError } from "./store-error.ts";

/** A store in memory that misbehaves when told to. */
export class MemoryStore implements Store {
  readonly objects: Map<string, Buffer> = new Map();
  /** Asked before each content; what comes back is sent in its place, in pieces. */
  onRead: (object: StoredObject, offset: number, content: Buffer) => Iterable<Buffer> | Readable = (
    _object,
    _offset,
    content,
  ) => [content];
  onList: () => void = () => {};
  /** Offsets that contents were asked for, by key. */
  readonly reads: { readonly key: string; readonly offset: number }[] = [];
  lists = 0;

  put(key: string, content: string | Buffer): void {
    this.objects.set(key, Buffer.from(content));
  }

  list(limit: number): Promise<readonly StoredObject[]> {
    this.lists += 1;
    this.onList();
    const all = [...this.objects].map(([key, content]) => ({
      key,
      byteLength: content.byteLength,
      stamp: stampOf(content),
    }));
    return Promise.resolve(all.slice(0, limit));
  }

  read(
    object: StoredObject,
    { offset, signal }: { readonly offset: number; readonly signal: AbortSignal },
  ): Promise<ObjectContent> {
    this.reads.push({ key: object.key, offset });
    const content = this.objects.get(object.key);
    if (content === undefined) return Promise.reject(statusError(404));
    if (stampOf(content) !== object.stamp)
      return Promise.reject(mayPass("it was replaced while it was read"));
    const pieces = this.onRead(object, offset, content.subarray(offset));
    const bytes = pieces instanceof Readable ? pieces : Readable.from(pieces);
    signal.addEventListener("abort", () => bytes.destroy(new Error("stopped")), { once: true });
    return Promise.resolve({ offset, bytes });
  }

  close(): void {}
}

/** A content of which only the beginning comes, and then nothing, not even an end. */
export function silentAfter(beginning: Buffer): Readable {
  const bytes = new Readable({ read() {} });
  bytes.push(beginning);
  return bytes;
}

function stampOf(content: Buffer): string {
  return createHash("md5").update(content).digest("hex");
}
