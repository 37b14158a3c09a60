import type { Stats } from "node:fs";

/** What the file system says of a file's state; two stamps tell whether its content may have changed between them. */
export interface FileStamp {
  /** Absolute, links resolved. */
  readonly path: string;
  readonly inode: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  /** Owner, mode and number of links: what else sets the ctime. */
  readonly metadata: string;
}

/**
 * `same`: not touched. `touched`: its ctime alone moved, and nothing says why: it may have been written with its mtime restored, or only
 * been looked at by a backup. `changed`: it was written, or is another file.
 */
export type FileChange = "same" | "touched" | "changed";

export function stampOf(path: string, stats: Stats): FileStamp {
  const { ino: inode, size, mtimeMs, ctimeMs, uid, gid, mode, nlink } = stats;
  return { path, inode, size, mtimeMs, ctimeMs, metadata: `${uid}:${gid}:${mode}:${nlink}` };
}

/** A rename over the file, `chmod` and `ln` move the ctime, and show: they leave the content alone. */
export function changeBetween(before: FileStamp, now: FileStamp): FileChange {
  const { inode, size, mtimeMs, ctimeMs, metadata } = now;
  if (inode !== before.inode || size !== before.size || mtimeMs !== before.mtimeMs) return "changed";
  return ctimeMs === before.ctimeMs || metadata !== before.metadata ? "same" : "touched";
}
