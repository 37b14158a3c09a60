import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { ServeError } from "../base/errors.ts";
import { faultCode, fileFault } from "../base/file-fault.ts";
import { changeBetween, type FileStamp, stampOf } from "./file-stamp.ts";

/** Which files a model was loaded from: all its instances, and every restart, must run the same bytes. */
export class FileIdentity {
  readonly #file: string;
  /** By path; undefined before the first look, and for missing weights: reading them says so. */
  readonly #stamps: Map<string, FileStamp | undefined>;
  #digest: string | undefined;

  constructor(file: string, weights: string | undefined) {
    this.#file = file;
    this.#stamps = new Map(weights === undefined ? [] : [[weights, undefined]]);
  }

  /** Its files as they were when they were read. */
  get stamps(): readonly FileStamp[] {
    return [...this.#stamps.values()].filter((stamp) => stamp !== undefined);
  }

  /**
   * Call it before and after reading. True when a file was touched, so that its digest must show that it is the same. Rejects with
   * `not_found` when the model is gone, `unavailable`/`model_file_changed` when a file is another than at first.
   */
  async check(): Promise<boolean> {
    const paths = [this.#file, ...[...this.#stamps.keys()].filter((path) => path !== this.#file)];
    const stamps = await Promise.all(paths.map((path) => this.#look(path)));
    const changes = stamps.map((now, i) => this.#compare(paths[i]!, now));
    return changes.includes("touched");
  }

  /** What a worker found and read. Throws `model_file_changed` when another worker read something else. */
  accept(stamps: readonly FileStamp[], digest: string): void {
    for (const stamp of stamps) this.#compare(stamp.path, stamp);
    if (digest === "") return;
    this.#digest ??= digest;
    if (this.#digest !== digest) throw fileChanged();
    // Under every name that leads to them.
    for (const [path, known] of this.#stamps) {
      const stamp = stamps.find(({ inode }) => inode === known?.inode);
      if (stamp !== undefined) this.#stamps.set(path, { ...stamp, path });
    }
  }

  #compare(path: string, now: FileStamp | undefined): "same" | "touched" {
    const before = this.#stamps.get(path);
    if (before === undefined) {
      this.#stamps.set(path, now);
      return "same";
    }
    const change = now === undefined ? "changed" : changeBetween(before, now);
    if (change === "changed") throw fileChanged();
    return change;
  }

  async #look(path: string): Promise<FileStamp | undefined> {
    try {
      return stampOf(path, await stat(path));
    } catch (error) {
      if (path === this.#file) throw fileError(error, path);
      return undefined;
    }
  }
}

function fileChanged(): ServeError {
  return new ServeError(
    "unavailable",
    "the model's file changed after it was loaded; reload the model, and replace its files by renaming new ones over them",
    { reason: "model_file_changed" },
  );
}

/** A file that is gone stays so; anything else may pass. */
function fileError(thrown: unknown, path: string): unknown {
  if (faultCode(thrown) !== "ENOENT") return fileFault(thrown, path);
  return new ServeError("not_found", `the model's file ${basename(path)} is gone`, {
    reason: "model_file_gone",
    cause: thrown,
  });
}
