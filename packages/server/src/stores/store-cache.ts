import { lstatSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { makePrivateFolder } from "../base/private-folder.ts";
import { isLeased, type Lease, takeLease } from "./lease.ts";
import { refused } from "./store-error.ts";

/** The folder of one address's copy, for this process alone until it is closed. */
export interface CopyFolder {
  readonly folder: string;
  /** Idempotent. */
  close(): void;
}

/** How many processes may have a copy each of one address. */
const MAX_COPIES = 64;
const NAME = /^[0-9a-f]{32}(\.[0-9]{1,2})?$/;
const LEASE = "lease";

/** Copies of stores below one folder, bounded together. What no process uses makes room, the least recently used first. */
export class StoreCache {
  readonly #folder: string;
  readonly #maxBytes: number;

  constructor({ folder, maxBytes }: { readonly folder: string; readonly maxBytes: number }) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** Why the folder cannot be used, as a sentence about it; undefined: it can, and is there now. */
  fault(): string | undefined {
    return makePrivateFolder(this.#folder);
  }

  /** A folder for an address: the one that was used before, unless another process uses it now. */
  open(id: string): CopyFolder {
    for (let i = 1; i <= MAX_COPIES; i += 1) {
      const folder = join(this.#folder, i === 1 ? id : `${id}.${i}`);
      const fault = makePrivateFolder(folder);
      if (fault !== undefined) throw refused(`the folder for its copy ${fault}`);
      const lease = takeLease(join(folder, LEASE));
      if (lease !== undefined) return copy(folder, lease);
    }
    throw refused(
      `${MAX_COPIES} other processes use copies of it: give each server a --store-cache of its own`,
    );
  }

  /** Removes copies that nobody uses until so many bytes fit in. Throws `failed_precondition` when they do not. */
  makeRoom(byteLength: number): void {
    const copies = this.#copies();
    let total = copies.reduce((sum, { bytes }) => sum + bytes, byteLength);
    for (const { path } of copies.filter((copy) => !copy.isUsed).sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#maxBytes) return;
      const lease = takeLease(join(path, LEASE));
      if (lease === undefined) continue;
      const freed = bytesBelow(path);
      rmSync(path, { recursive: true, force: true });
      total -= freed;
    }
    if (total > this.#maxBytes) {
      throw refused(
        `with it the copies would take ${total} bytes, more than the ${this.#maxBytes} of --store-cache-size`,
      );
    }
  }

  #copies(): { path: string; bytes: number; usedMs: number; isUsed: boolean }[] {
    return readdirSync(this.#folder)
      .filter((name) => NAME.test(name))
      .map((name) => join(this.#folder, name))
      .map((path) => ({
        path,
        bytes: bytesBelow(path),
        usedMs: lstatSync(path).mtimeMs,
        isUsed: isLeased(join(path, LEASE)),
      }));
  }
}

function copy(folder: string, lease: Lease): CopyFolder {
  touch(folder);
  let isOpen = true;
  return {
    folder,
    close() {
      if (!isOpen) return;
      isOpen = false;
      touch(folder);
      lease.release();
    },
  };
}

function touch(folder: string): void {
  const now = new Date();
  try {
    utimesSync(folder, now, now);
  } catch {
    // It is gone, or only removed sooner.
  }
}

function bytesBelow(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += bytesBelow(path);
    else bytes += lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
