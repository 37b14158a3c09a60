import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  type Stats,
  unlinkSync,
  writevSync,
} from "node:fs";
import { join } from "node:path";
import { faultCode } from "./file-fault.ts";

export interface DiskCacheOptions {
  /** Made when it is not there, for its owner alone. */
  readonly folder: string;
  /** Of all entries together; the least recently used make room. */
  readonly maxBytes: number;
}

const MAGIC = Buffer.from("sconce cache 1\n\0", "latin1");
const DIGEST_BYTES = 32;
const HEAD_BYTES = MAGIC.length + DIGEST_BYTES;
const NAME = /^[0-9a-f]{64}$/;
/** What a writer that died left behind; nobody writes for so long. */
const UNFINISHED = /^[0-9a-f]{64}\.[0-9a-f]{16}\.tmp$/;
const UNFINISHED_MS = 3_600_000;
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Bytes by key in files of a folder, for what can be made again: nothing here throws over the file system. An entry counts only when its own
 * digest fits it and its key, and when folder and file belong to this process's user and nobody else may write them. Several processes
 * may use one folder: entries appear whole or not at all.
 */
export class DiskCache {
  readonly #folder: string;
  readonly #maxBytes: number;

  constructor({ folder, maxBytes }: DiskCacheOptions) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** Why the folder cannot be used, as a sentence about it; undefined: it can, and is there now. */
  fault(): string | undefined {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      return faultOf(lstatSync(this.#folder));
    } catch (error) {
      return `cannot be used: the file system reports ${faultCode(error) ?? "an unknown error"}`;
    }
  }

  /** What was written under a key; undefined: nothing, or nothing that is whole and this user's own. The result belongs to the caller. */
  read(key: string): Buffer | undefined {
    const path = this.#path(key);
    try {
      if (faultOf(lstatSync(this.#folder)) !== undefined) return undefined;
      const fd = openSync(path, READ_FLAGS);
      try {
        const bytes = isOwnFile(fstatSync(fd)) ? this.#readWhole(fd, key) : undefined;
        if (bytes !== undefined) touch(fd);
        else drop(path);
        return bytes;
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      // A link has taken an entry's place.
      if (faultCode(error) === "ELOOP") drop(path);
      return undefined;
    }
  }

  /** Puts an entry in, in place of one of the same key; false: it is too large, or the folder cannot be used. */
  write(key: string, chunks: readonly Uint8Array[]): boolean {
    const byteLength = chunks.reduce((sum, chunk) => sum + chunk.byteLength, HEAD_BYTES);
    if (byteLength > this.#maxBytes || this.fault() !== undefined) return false;
    const path = this.#path(key);
    const unfinished = `${path}.${randomBytes(8).toString("hex")}.tmp`;
    try {
      this.#makeRoom(byteLength);
      const fd = openSync(unfinished, WRITE_FLAGS, 0o600);
      try {
        writeAll(fd, [MAGIC, digestOf(key, chunks), ...chunks]);
      } finally {
        closeSync(fd);
      }
      renameSync(unfinished, path);
      return true;
    } catch {
      drop(unfinished);
      return false;
    }
  }

  #path(key: string): string {
    return join(this.#folder, createHash("sha256").update(key).digest("hex"));
  }

  #readWhole(fd: number, key: string): Buffer | undefined {
    const { size } = fstatSync(fd);
    if (size < HEAD_BYTES || size > this.#maxBytes) return undefined;
    const bytes = Buffer.allocUnsafeSlow(size);
    for (let at = 0; at < size; ) {
      const count = readSync(fd, bytes, at, size - at, at);
      if (count === 0) return undefined;
      at += count;
    }
    const value = bytes.subarray(HEAD_BYTES);
    const isWhole =
      bytes.subarray(0, MAGIC.length).equals(MAGIC) &&
      bytes.subarray(MAGIC.length, HEAD_BYTES).equals(digestOf(key, [value]));
    return isWhole ? value : undefined;
  }

  /** Removes the least recently used entries until so many bytes fit in. Files of other names are not this cache's. */
  #makeRoom(byteLength: number): void {
    const entries: { readonly path: string; readonly bytes: number; readonly usedMs: number }[] = [];
    for (const name of readdirSync(this.#folder)) {
      const isEntry = NAME.test(name);
      if (!isEntry && !UNFINISHED.test(name)) continue;
      const path = join(this.#folder, name);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) continue;
      if (isEntry) entries.push({ path, bytes: stats.size, usedMs: stats.mtimeMs });
      else if (Date.now() - stats.mtimeMs > UNFINISHED_MS) drop(path);
    }
    entries.sort((a, b) => a.usedMs - b.usedMs);
    let bytes = entries.reduce((sum, entry) => sum + entry.bytes, byteLength);
    for (const entry of entries) {
      if (bytes <= this.#maxBytes) return;
      drop(entry.path);
      bytes -= entry.bytes;
    }
  }
}

function faultOf(folder: Stats): string | undefined {
  if (!folder.isDirectory()) return "is no folder";
  if (!isOwn(folder)) return "belongs to another user";
  return (folder.mode & WRITABLE_BY_OTHERS) === 0 ? undefined : "can be written by other users: chmod 700 it";
}

/** A file of one name that nobody else can have put there or can change. */
function isOwnFile(stats: Stats): boolean {
  return stats.isFile() && isOwn(stats) && stats.nlink === 1 && (stats.mode & WRITABLE_BY_OTHERS) === 0;
}

/** Where there are no users, as on Windows, everything is. */
function isOwn({ uid }: Stats): boolean {
  return process.geteuid === undefined || uid === process.geteuid();
}

/** Notes that an entry was used; when that fails it is only removed sooner. */
function touch(fd: number): void {
  try {
    const now = new Date();
    futimesSync(fd, now, now);
  } catch {
    // A folder that was mounted without writing still has good entries.
  }
}

function drop(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone already, or it cannot be removed: then it is read again and found wanting again.
  }
}

function digestOf(key: string, chunks: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256").update(`${key.length}:${key}`);
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest();
}

function writeAll(fd: number, chunks: readonly Uint8Array[]): void {
  let rest = [...chunks];
  while (rest.length > 0) {
    let written = writevSync(fd, rest);
    const next: Uint8Array[] = [];
    for (const chunk of rest) {
      const done = Math.min(written, chunk.byteLength);
      written -= done;
      if (done < chunk.byteLength) next.push(chunk.subarray(done));
    }
    rest = next;
  }
}
