import { lstatSync, mkdirSync, readdirSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { oneLine } from "../base/printable.ts";
import { syncFolder } from "../base/write-whole.ts";
import { download } from "./download.ts";
import { isLeftOut, localName } from "./local-name.ts";
import { type MirroredObject, type MirrorRecord, readRecord, writeRecord } from "./mirror-record.ts";
import { PartsFolder } from "./parts-folder.ts";
import type { Store, StoredObject } from "./store.ts";
import type { StoreAddress } from "./store-address.ts";
import type { CopyFolder, StoreCache } from "./store-cache.ts";
import { refused, storeError } from "./store-error.ts";
import { withLimit } from "./with-limit.ts";

export interface MirrorOptions {
  readonly address: StoreAddress;
  readonly store: Store;
  readonly cache: StoreCache;
  readonly clock: Clock;
  readonly wallNowMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** How long a store may be silent. */
  readonly idleMs: number;
  readonly onBytes: (byteLength: number) => void;
}

/** What a look at the store changed. */
export interface MirrorChange {
  readonly files: number;
  readonly removed: number;
}

/** Objects below one address. */
const MAX_OBJECTS = 10_000;
const DOWNLOADS_AT_ONCE = 4;
const MAX_NAMED = 3;
const UNSAFE_FOLDER = /^[^A-Za-z0-9]|[^A-Za-z0-9._-]/;

/**
 * A copy of what lies under an address, in a folder that a repository reads. Everything new is downloaded beside it first; then what changed is renamed
 * in, in one go, and a process that is ended in between does the rest at its next start.
 */
export class Mirror {
  /** The folder with the copy. It is there from the start, if need be empty. */
  readonly path: string;
  readonly #options: MirrorOptions;
  readonly #copy: CopyFolder;
  readonly #parts: PartsFolder;
  #record: MirrorRecord | undefined;
  /** What is not taken, by the stamp that it had: it need not be downloaded to be refused again. */
  readonly #refused = new Map<string, { readonly stamp: string; readonly error: unknown }>();
  /** Objects that the last look did not find; undefined before the first, which is believed. */
  #missing: ReadonlySet<string> | undefined;
  #warned: ReadonlySet<string> = new Set();

  private constructor(options: MirrorOptions, copy: CopyFolder) {
    const { lastPart } = options.address;
    this.#options = options;
    this.#copy = copy;
    this.#parts = new PartsFolder(join(copy.folder, "parts"));
    this.path = join(copy.folder, "tree", UNSAFE_FOLDER.test(lastPart) ? "models" : lastPart);
    this.#record = readRecord(this.#recordPath);
  }

  /** Takes the copy that there is, or begins a new one. Rejects when the cache cannot be used. */
  static async open(options: MirrorOptions): Promise<Mirror> {
    const copy = options.cache.open(options.address.id);
    try {
      const mirror = new Mirror(options, copy);
      mirror.#makeFolders();
      await mirror.#placeParts();
      return mirror;
    } catch (error) {
      copy.close();
      throw error;
    }
  }

  /** When the store was last seen to hold what is here, in milliseconds since 1970; undefined: there is none, or not with the digest that was asked for. */
  get readAtMs(): number | undefined {
    const { sha256 } = this.#options.address;
    const objects = [...(this.#record?.objects.values() ?? [])];
    return sha256 === undefined || objects[0]?.sha256 === sha256 ? this.#record?.readAtMs : undefined;
  }

  /** Looks at the store and takes over what changed; undefined: nothing did. Rejects with what stands against it; the copy stays as it was then. */
  async sync(signal: AbortSignal): Promise<MirrorChange | undefined> {
    const listed = this.#usable(await this.#list(signal));
    // Somebody may have cleaned up.
    this.#makeFolders();
    const kept = this.#keptForNow(listed);
    const due = listed.filter((object) => !this.#isHere(object));
    const gone = [...(this.#record?.objects.keys() ?? [])].filter((key) => !kept.has(key));
    const readAtMs = this.#options.wallNowMs();
    if (due.length === 0 && gone.length === 0 && this.#record !== undefined) {
      this.#record = { ...this.#record, readAtMs };
      return undefined;
    }
    const objects = new Map([...kept].map(([key]) => [key, this.#record!.objects.get(key)!]));
    for (const object of await this.#downloadAll(due, signal)) objects.set(object.key, object);
    for (const key of gone) objects.delete(key);
    await this.#commit({ objects, readAtMs });
    return { files: due.length, removed: gone.length };
  }

  close(): void {
    this.#options.store.close();
    this.#copy.close();
  }

  #makeFolders(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    this.#parts.make();
  }

  get #recordPath(): string {
    return join(this.#copy.folder, "mirror.json");
  }

  async #list(signal: AbortSignal): Promise<readonly StoredObject[]> {
    const { clock, idleMs, store } = this.#options;
    const objects = await withLimit((limited) => store.list(MAX_OBJECTS + 1, limited), {
      clock,
      limitMs: idleMs,
      signal,
    });
    if (objects.length > MAX_OBJECTS) throw refused(`more than ${MAX_OBJECTS} files lie under this address`);
    return objects;
  }

  /** The objects whose names can be files here; the log names the others, once. */
  #usable(objects: readonly StoredObject[]): readonly StoredObject[] {
    const wanted = objects.filter(({ key }) => !isLeftOut(key));
    const files = new Set(wanted.map(({ key }) => key));
    const isUsable = ({ key }: StoredObject): boolean =>
      localName(key) !== undefined && !foldersOf(key).some((folder) => files.has(folder));
    const unusable = wanted.filter((object) => !isUsable(object)).map(({ key }) => oneLine(key));
    const fresh = unusable.filter((key) => !this.#warned.has(key));
    this.#warned = new Set(unusable);
    if (fresh.length > 0) {
      const names = fresh.slice(0, MAX_NAMED).map((key) => JSON.stringify(key.slice(0, 100)));
      this.#options.logger.warn(
        { count: fresh.length },
        `files whose names cannot be used here are left out: ${names.join(", ")}${fresh.length > MAX_NAMED ? ", …" : ""}`,
      );
    }
    const usable = wanted.filter(isUsable);
    if (usable.length === 0) throw refused("there is nothing under this address");
    return usable;
  }

  /** What of the copy stays: a file goes when two looks in a row did not find it. */
  #keptForNow(listed: readonly StoredObject[]): ReadonlyMap<string, StoredObject | undefined> {
    const found = new Map<string, StoredObject | undefined>(listed.map((object) => [object.key, object]));
    const here = [...(this.#record?.objects.keys() ?? [])];
    const missing = here.filter((key) => !found.has(key));
    const before = this.#missing ?? new Set(missing);
    const waiting = missing.filter((key) => !before.has(key));
    this.#missing = new Set(missing);
    return new Map(
      here.filter((key) => found.has(key) || waiting.includes(key)).map((key) => [key, found.get(key)]),
    );
  }

  #isHere({ key, byteLength, stamp }: StoredObject): boolean {
    const known = this.#record?.objects.get(key);
    if (known === undefined || known.stamp !== stamp || known.byteLength !== byteLength) return false;
    const { sha256 } = this.#options.address;
    if (sha256 !== undefined && known.sha256 !== sha256) return false;
    return lstatSync(join(this.path, key), { throwIfNoEntry: false })?.size === byteLength;
  }

  async #downloadAll(due: readonly StoredObject[], signal: AbortSignal): Promise<MirroredObject[]> {
    if (this.#options.address.sha256 !== undefined && due.length > 1)
      throw refused("a digest in the address is for one file, and several lie under it");
    const bytes = due.reduce((sum, object) => sum + object.byteLength - this.#parts.bytesOf(object), 0);
    // Of an object that changes again and again, the beginnings would fill the cache.
    this.#parts.keepOnly(due);
    this.#options.cache.makeRoom(bytes);
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const done: MirroredObject[] = [];
    const rest = due.values();
    const workers = Array.from({ length: DOWNLOADS_AT_ONCE }, async () => {
      try {
        for (const object of rest) done.push(await this.#download(object, either));
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    });
    await Promise.allSettled(workers);
    signal.throwIfAborted();
    failed.signal.throwIfAborted();
    return done;
  }

  async #download(object: StoredObject, signal: AbortSignal): Promise<MirroredObject> {
    const before = this.#refused.get(object.key);
    if (before?.stamp === object.stamp && object.stamp !== "") throw before.error;
    try {
      const path = this.#parts.pathOf(object);
      const { sha256: expected } = this.#options.address;
      const sha256 = await download({ ...this.#options, object, path, sha256: expected, signal });
      return { ...object, sha256 };
    } catch (thrown) {
      const error = this.#naming(object, storeError(thrown));
      if (error.reason === "digest_mismatch") this.#refused.set(object.key, { stamp: object.stamp, error });
      throw error;
    }
  }

  /** Which of many files it was. */
  #naming({ key }: StoredObject, { code, message, reason, cause }: ServeError): ServeError {
    const isNamed = this.#options.address.kind === "https" || reason === "digest_mismatch";
    return ServeError.of(code, isNamed ? message : `${oneLine(key)}: ${message}`, { reason, cause });
  }

  /** From the moment in which the record is written the new state counts; what follows can be done again. */
  async #commit(record: MirrorRecord): Promise<void> {
    await syncFolder(this.#parts.path);
    await writeRecord(this.#recordPath, record);
    this.#record = record;
    await this.#placeParts();
    this.#parts.keepOnly([]);
  }

  /** Moves to its place whatever the record says and is not there yet, and removes what it does not say. */
  async #placeParts(): Promise<void> {
    if (this.#record === undefined) return;
    const { objects } = this.#record;
    const touched = new Set<string>();
    for (const object of objects.values()) {
      if (!this.#parts.isComplete(object)) continue;
      const path = join(this.path, object.key);
      await this.#makeFoldersOf(object.key);
      await rename(this.#parts.pathOf(object), path);
      touched.add(dirname(path));
    }
    await removeOthers(this.path, objects);
    for (const folder of touched) await syncFolder(folder);
  }

  /** Where a file was that is a folder now, or a link, a folder is made. */
  async #makeFoldersOf(key: string): Promise<void> {
    for (const folder of foldersOf(key)) {
      const path = join(this.path, folder);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats?.isDirectory() === true) continue;
      if (stats !== undefined) await rm(path);
      mkdirSync(path, { mode: 0o700 });
    }
    const path = join(this.path, key);
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
      await rm(path, { recursive: true });
  }
}

/** The folders that a file of this name lies in, the outermost first. */
function foldersOf(key: string): string[] {
  const parts = key.split("/").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

async function removeOthers(root: string, objects: ReadonlyMap<string, unknown>): Promise<void> {
  const wanted = new Set([...objects.keys()].flatMap((key) => [key, ...foldersOf(key)]));
  const clean = async (folder: string): Promise<void> => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const key = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (!wanted.has(key)) await rm(join(root, key), { recursive: true, force: true });
      else if (entry.isDirectory()) await clean(key);
    }
  };
  await clean("");
}
