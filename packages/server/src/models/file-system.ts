import type { Dirent } from "node:fs";
import { open, opendir, realpath, stat } from "node:fs/promises";
import { OPEN_FLAGS } from "../base/open-below.ts";

/** One name in a folder. A link is reported as such and never followed by `list`. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: "file" | "folder" | "link" | "other";
}

/** What a path leads to, links followed. */
export interface FileFacts {
  readonly kind: "file" | "folder" | "other";
  readonly size: number;
  readonly mtimeMs: number;
  readonly inode: number;
}

/** The little of a file system that a repository needs. Every call may reject with Node's errors (`error.code`). */
export interface FileSystem {
  /** At most `limit` entries, in no order: then there may be more. */
  list(folder: string, limit: number): Promise<readonly FolderEntry[]>;
  facts(path: string): Promise<FileFacts>;
  /** The path without links. */
  resolve(path: string): Promise<string>;
  /** Opens a file, reads the wanted ranges (each cut at the file's end), closes it. */
  read<T>(path: string, use: (read: ReadRange) => Promise<T>): Promise<T>;
}

export type ReadRange = (offset: number, length: number) => Promise<Uint8Array>;

function kindOf(entry: Dirent): FolderEntry["kind"] {
  if (entry.isSymbolicLink()) return "link";
  if (entry.isFile()) return "file";
  return entry.isDirectory() ? "folder" : "other";
}

/** The real file system. */
export const nodeFileSystem: FileSystem = {
  async list(folder, limit) {
    const entries: FolderEntry[] = [];
    // Piece by piece: a folder of a million names must not hold up everything else.
    for await (const entry of await opendir(folder, { bufferSize: 256 })) {
      if (entries.length === limit) break;
      entries.push({ name: entry.name, kind: kindOf(entry) });
    }
    return entries;
  },
  async facts(path) {
    const found = await stat(path);
    const kind = found.isFile() ? "file" : found.isDirectory() ? "folder" : "other";
    return { kind, size: found.size, mtimeMs: found.mtimeMs, inode: found.ino };
  },
  resolve: (path) => realpath(path),
  async read(path, use) {
    const handle = await open(path, OPEN_FLAGS);
    try {
      return await use(async (offset, length) => {
        const bytes = new Uint8Array(length);
        const { bytesRead } = await handle.read(bytes, 0, length, offset);
        return bytes.subarray(0, bytesRead);
      });
    } finally {
      await handle.close();
    }
  },
};
