import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ModelFiles } from "./model-folder.ts";

const PAGE_BYTES = 4096;

/** A disk of a few hundred KiB that can be made too small. */
export interface SmallDisk {
  readonly path: string;
  /** Fills it up, but for this many bytes. */
  leave(bytes: number): void;
  /** Makes all room free again. */
  free(): void;
  /** Bytes that its files do not account for. */
  unaccountedBytes(): number;
  unmount(): void;
}

/** Mounts one at a folder, which is made; a string says why that is not possible here. */
export function mountSmallDisk(path: string, bytes: number): SmallDisk | string {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "sconce-chaos", path], { stdio: "pipe" });
  } catch (error) {
    const { stderr } = error as { readonly stderr?: Buffer | null };
    return String(stderr ?? error).split("\n")[0]!;
  }
  const ballast = join(path, "ballast");
  writeFileSync(ballast, "");
  return {
    path,
    leave(room) {
      const { bsize, bfree } = statfsSync(path);
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bsize * bfree - room)));
    },
    free: () => truncateSync(ballast),
    unaccountedBytes() {
      const { bsize, blocks, bfree } = statfsSync(path);
      return bsize * (blocks - bfree) - filesBytes(path);
    },
    unmount: () => void execFileSync("umount", ["--lazy", path]),
  };
}

/**
 * Copies files one after the other, false when there was no room for all. What is there in its whole length stays, as with `rsync`: it may
 * be served already, and a file that is written while it is served goes out of service.
 */
export function copyInto(folder: string, files: ModelFiles): boolean {
  mkdirSync(folder, { recursive: true });
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      if (statSync(path, { throwIfNoEntry: false })?.size !== content.length) writeFileSync(path, content);
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") return false;
    throw error;
  }
}

/** The room that files need. */
export function roomOf(files: ModelFiles): number {
  return Object.values(files).reduce((sum, content) => sum + inPages(content.length), 0);
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true });
}

function filesBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, facts) => sum + (facts.isFile() ? inPages(facts.size) : 0), 0);
}

function inPages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}
