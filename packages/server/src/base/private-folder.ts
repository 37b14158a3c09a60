import { lstatSync, mkdirSync, type Stats } from "node:fs";
import { faultCode } from "./file-fault.ts";

const WRITABLE_BY_OTHERS = 0o022;

/** Makes a folder for its owner alone where there is none. Why it cannot be used, as a sentence about it; undefined: it can, and is there now. */
export function makePrivateFolder(folder: string): string | undefined {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folderFault(lstatSync(folder));
  } catch (error) {
    return `cannot be used: the file system reports ${faultCode(error) ?? "an unknown error"}`;
  }
}

/** Why others than this process's user could have put something into a folder, as a sentence about it. */
export function folderFault(folder: Stats): string | undefined {
  if (!folder.isDirectory()) return "is no folder";
  if (!isOwn(folder)) return "belongs to another user";
  return (folder.mode & WRITABLE_BY_OTHERS) === 0 ? undefined : "can be written by other users: chmod 700 it";
}

/** A file of one name that nobody else can have put there or can change. */
export function isOwnFile(stats: Stats): boolean {
  return stats.isFile() && isOwn(stats) && stats.nlink === 1 && (stats.mode & WRITABLE_BY_OTHERS) === 0;
}

/** Where there are no users, as on Windows, everything is. */
function isOwn({ uid }: Stats): boolean {
  return process.geteuid === undefined || uid === process.geteuid();
}
