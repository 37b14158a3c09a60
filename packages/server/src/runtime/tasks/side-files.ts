import { existsSync, fstatSync, readSync } from "node:fs";
import { join } from "node:path";
import { closeRead } from "../../base/close-read.ts";
import { ServeError } from "../../base/errors.ts";
import { onFile } from "../../base/file-fault.ts";
import { openBelow } from "../../base/open-below.ts";
import { type FileStamp, stampOf } from "../file-stamp.ts";

const MIB = 2 ** 20;
/** A vocabulary of 250,000 words takes 17 MiB. */
const MAX_BYTES = 64 * MIB;

/** The files that lie beside a model and say how its inputs are made. Nothing outside the served folder is read. */
export class SideFiles {
  readonly #root: string;
  readonly #folders: readonly string[];
  readonly #stamps: FileStamp[] = [];

  /** `folders`: where to look, in this order. */
  constructor(root: string, folders: readonly string[]) {
    this.#root = root;
    this.#folders = folders;
  }

  /** Those that were read, as they were then. */
  get stamps(): readonly FileStamp[] {
    return this.#stamps;
  }

  /** The absolute path of a file; undefined: it is not there. */
  find(name: string): string | undefined {
    return this.#folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  }

  /** The path of a file without links, which from now on counts as read; undefined: it is not there. */
  hold(name: string): string | undefined {
    const found = this.find(name);
    if (found === undefined) return undefined;
    const { fd, path } = openBelow(this.#root, found);
    this.#stamps.push(stampOf(path, fstatSync(fd)));
    closeRead(fd);
    return path;
  }

  /** A file's JSON object; undefined: it is not there. Throws `failed_precondition`. */
  json(name: string): Readonly<Record<string, unknown>> | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw unfit(`${name} is not JSON`, cause);
    }
    if (!isObject(value)) throw unfit(`${name}: expected a JSON object`);
    return value;
  }

  /** The same for a file that must be there. `use`: what it says. */
  needJson(name: string, use: string): Readonly<Record<string, unknown>> {
    const value = this.json(name);
    if (value === undefined) throw unfit(`${name} is missing beside the model; it says ${use}`);
    return value;
  }

  text(name: string): string | undefined {
    const found = this.find(name);
    if (found === undefined) return undefined;
    const { fd, path } = openBelow(this.#root, found);
    try {
      const stats = onFile(path, () => fstatSync(fd));
      if (stats.size > MAX_BYTES)
        throw unfit(`${name} has ${stats.size} bytes; at most ${MAX_BYTES} are read`);
      this.#stamps.push(stampOf(path, stats));
      const bytes = Buffer.alloc(stats.size);
      let at = 0;
      while (at < bytes.length) {
        const count = onFile(path, () => readSync(fd, bytes, at, bytes.length - at, at));
        if (count === 0) break;
        at += count;
      }
      return bytes.toString("utf8", 0, at);
    } finally {
      closeRead(fd);
    }
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What lies beside the model does not fit its task. */
export function unfit(message: string, cause?: unknown): ServeError {
  return new ServeError("failed_precondition", `task: ${message}`, { reason: "bad_task_files", cause });
}
