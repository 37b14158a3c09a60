import { fstatSync, type Stats, statSync } from "node:fs";
import { basename } from "node:path";
import { performance } from "node:perf_hooks";
import type { ByteSource } from "@sconce/torch";
import { fileSourceOf } from "@sconce/torch/node";
import { closeRead } from "../../base/close-read.ts";
import { ServeError } from "../../base/errors.ts";
import { onFile } from "../../base/file-fault.ts";
import type { OpenFile } from "../../base/open-below.ts";
import { changeBetween, type FileStamp, stampOf } from "../file-stamp.ts";

/** Two writes within one tick of the kernel's clock leave the same times. Ticks are 1 to 10 ms; old file systems count whole seconds. */
const TICK_MS = 20;
const COARSE_TICK_MS = 1100;
/** A check this recent spares the one before a run; the one after it is what keeps wrong numbers in. */
const FRESH_MS = 5;

interface HeldFile {
  readonly fd: number;
  /** Made by this server from the others: its state says nothing of what the model is. */
  readonly isOwn: boolean;
  readonly source: ByteSource;
  stamp: FileStamp;
}

/**
 * The files a model was loaded from, held open. Weights are mapped, not read: a write into such a file changes the numbers under a
 * model that runs. The kernel stamps a file before it writes into it, so that a result is good when its files are unchanged after the run.
 */
export class LoadedFiles {
  readonly #files = new Map<string, HeldFile>();
  #checkedMs = Number.NEGATIVE_INFINITY;

  /**
   * Takes over a file, which the result reads; call it before anything is read. Blocks for a moment when the file was written just now.
   * Throws `unavailable`/`file_unreadable` when the file system fails, and closes it then.
   */
  hold(file: OpenFile): ByteSource {
    return this.#hold(file, false);
  }

  /** The same for a file that was made from the others, and is not one of `stamps`. */
  holdOwn(file: OpenFile): ByteSource {
    return this.#hold(file, true);
  }

  #hold({ fd, path }: OpenFile, isOwn: boolean): ByteSource {
    const held = this.#files.get(path);
    if (held !== undefined) {
      closeRead(fd);
      return held.source;
    }
    try {
      const stats = onFile(path, () => settledStats(fd));
      const source = fileSourceOf(fd, basename(path));
      this.#files.set(path, { fd, isOwn, source, stamp: stampOf(path, stats) });
      return source;
    } catch (error) {
      closeRead(fd);
      throw error;
    }
  }

  /** The model's own, as they were when they were first held. */
  get stamps(): FileStamp[] {
    return Array.from(this.#files.values()).flatMap(({ stamp, isOwn }) => (isOwn ? [] : [stamp]));
  }

  /** Throws `unavailable`/`model_file_changed` when a file may have changed since it was held. */
  check(): void {
    for (const file of this.#files.values()) check(file);
    this.#checkedMs = performance.now();
  }

  /** The same, unless it was done a moment ago: a file that was cut short is better not looked into. */
  checkBeforeRun(): void {
    if (performance.now() - this.#checkedMs > FRESH_MS) this.check();
  }

  /** `check`, and that the names still lead to these files: what was opened by name meanwhile was the same file. */
  checkNames(): void {
    this.check();
    for (const { stamp } of this.#files.values()) if (hasMoved(stamp)) throw fileChanged();
  }

  close(): void {
    for (const { fd } of this.#files.values()) closeRead(fd);
    this.#files.clear();
  }
}

function check(file: HeldFile): void {
  const stats = lookAt(file.fd);
  // A file system that fails says nothing of a write, and a version that serves outlives it.
  if (stats === undefined) return;
  // Nearly always; nothing is made for it.
  if (stats.ctimeMs === file.stamp.ctimeMs && stats.mtimeMs === file.stamp.mtimeMs) return;
  const now = stampOf(file.stamp.path, stats);
  const change = changeBetween(file.stamp, now);
  // A file that was moved away keeps its content, and nothing else shows that it was moved.
  if (change === "changed" || (change === "touched" && !hasMoved(now))) throw fileChanged();
  file.stamp = now;
}

function lookAt(fd: number): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    return undefined;
  }
}

function hasMoved({ path, inode }: FileStamp): boolean {
  return onFile(path, () => statSync(path, { throwIfNoEntry: false }))?.ino !== inode;
}

function settledStats(fd: number): Stats {
  for (;;) {
    const stats = fstatSync(fd);
    const waitMs = unsettledMs(stats);
    if (waitMs === 0) return stats;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
  }
}

/** How long until a write would show, in milliseconds. */
function unsettledMs({ ctimeMs }: Stats): number {
  const tickMs = ctimeMs % 1000 === 0 ? COARSE_TICK_MS : TICK_MS;
  const ageMs = Date.now() - ctimeMs;
  return ageMs < 0 || ageMs >= tickMs ? 0 : Math.ceil(tickMs - ageMs);
}

function fileChanged(): ServeError {
  return new ServeError(
    "unavailable",
    "the model's file changed while it was served, so what it gives now is worth nothing; load the model again",
    { reason: "model_file_changed" },
  );
}
