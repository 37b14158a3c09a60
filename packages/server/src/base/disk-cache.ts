import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  writevSync,
} from "node:fs";
import { join } from "node:path";
import { faultCode } from "./file-fault.ts";
import type { OpenFile } from "./open-below.ts";
import { folderFault, isOwnFile, makePrivateFolder } from "./private-folder.ts";

export interface DiskCacheOptions {
  /** Made when it is not there, for its owner alone. */
  readonly folder: string;
  /** Of all entries together; the least recently used make room. */
  readonly maxBytes: number;
}

const MAGIC = Buffer.from("sconce cache 1\n\0", "latin1");
const DIGEST_BYTES = 32;
const HEAD_BYTES = MAGIC.length + DIGEST_BYTES;
/** An entry, what goes with it, and what is not ready yet: a file, or a folder to work in. */
const NAME = /^([0-9a-f]{64})(?:(\.data)|\.[0-9a-f]{16}\.tmp)?$/;
/** Nobody writes for so long: what is not ready by then was left behind by a process that died. */
const UNFINISHED_MS = 3_600_000;
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

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
    return makePrivateFolder(this.#folder);
  }

  /** What was written under a key; undefined: nothing, or nothing that is whole and this user's own. The result belongs to the caller. */
  read(key: string): Buffer | undefined {
    const path = this.#path(key);
    try {
      if (folderFault(lstatSync(this.#folder)) !== undefined) return undefined;
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

  /**
   * A new folder beside the entries, to make in it what may go with one; undefined: none can be made. Whoever asked removes it; one that is left is
   * removed after an hour.
   */
  workFolder(key: string): string | undefined {
    if (this.fault() !== undefined) return undefined;
    const path = unfinishedName(this.#path(key));
    try {
      mkdirSync(path, { mode: 0o700 });
      return path;
    } catch {
      return undefined;
    }
  }

  /**
   * Moves a file in, to go with the entry of a key, which is to be written next: alone, it is removed in time. Opened for reading as the result, which the
   * caller closes; undefined: it is too large, or cannot be moved.
   */
  attach(key: string, file: string): OpenFile | undefined {
    if (this.fault() !== undefined) return undefined;
    try {
      chmodSync(file, 0o600);
      this.#makeRoom(lstatSync(file).size, key);
      renameSync(file, join(this.#folder, this.attachmentName(key)));
      return this.attachment(key);
    } catch {
      return undefined;
    }
  }

  /** What the file that goes with an entry is called. */
  attachmentName(key: string): string {
    return `${nameOf(key)}.data`;
  }

  /** What goes with the entry of a key, open for reading; the caller closes it. Its content was not looked at: the entry has to say what it is. */
  attachment(key: string): OpenFile | undefined {
    const path = join(this.#folder, this.attachmentName(key));
    try {
      if (folderFault(lstatSync(this.#folder)) !== undefined) return undefined;
      const fd = openSync(path, READ_FLAGS);
      if (isOwnFile(fstatSync(fd))) return { fd, path: realpathSync(path) };
      closeSync(fd);
    } catch {
      // There is none that can be read.
    }
    return undefined;
  }

  /** Removes an entry and what goes with it. */
  remove(key: string): void {
    drop(this.#path(key));
    drop(join(this.#folder, this.attachmentName(key)));
  }

  /** Puts an entry in, in place of one of the same key; false: it is too large, or the folder cannot be used. */
  write(key: string, chunks: readonly Uint8Array[]): boolean {
    const byteLength = chunks.reduce((sum, chunk) => sum + chunk.byteLength, HEAD_BYTES);
    if (byteLength > this.#maxBytes || this.fault() !== undefined) return false;
    const path = this.#path(key);
    const unfinished = unfinishedName(path);
    try {
      this.#makeRoom(byteLength, key);
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
    return join(this.#folder, nameOf(key));
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

  /** Removes the least recently used entries until so many bytes fit in, or throws. Files of other names are not this cache's. */
  #makeRoom(byteLength: number, key: string): void {
    const listed = this.#listed();
    const own = listed.get(nameOf(key));
    if (own !== undefined) listed.set(nameOf(key), { ...own, usedMs: Number.POSITIVE_INFINITY });
    const entries = Array.from(listed.values()).sort((a, b) => a.usedMs - b.usedMs);
    let bytes = entries.reduce((sum, entry) => sum + entry.bytes, byteLength);
    for (const entry of entries) {
      if (bytes <= this.#maxBytes) return;
      for (const path of entry.paths) drop(path);
      bytes -= entry.bytes;
    }
    if (bytes > this.#maxBytes) throw new Error("larger than the cache");
  }

  /** The entries with what goes with them, by name; what was left unfinished is removed. */
  #listed(): Map<string, Listed> {
    const entries = new Map<string, Listed>();
    for (const name of readdirSync(this.#folder)) {
      const [, entry, data] = NAME.exec(name) ?? [];
      if (entry === undefined) continue;
      const path = join(this.#folder, name);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) continue;
      if (name !== entry && data === undefined) {
        if (Date.now() - stats.mtimeMs > UNFINISHED_MS) drop(path);
        continue;
      }
      const { paths, bytes, usedMs } = entries.get(entry) ?? { paths: [], bytes: 0, usedMs: 0 };
      entries.set(entry, {
        paths: [...paths, path],
        bytes: bytes + stats.size,
        // What goes with an entry keeps its times, by which it is known.
        usedMs: data === undefined ? stats.mtimeMs : usedMs,
      });
    }
    return entries;
  }
}

interface Listed {
  readonly paths: readonly string[];
  readonly bytes: number;
  readonly usedMs: number;
}

function nameOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

function unfinishedName(path: string): string {
  return `${path}.${randomBytes(8).toString("hex")}.tmp`;
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
    rmSync(path, { recursive: true });
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
