import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { StoredObject } from "./store.ts";

/** Where objects are downloaded to before they are put in place. A file is for one state of one object, so that it never goes on with another. */
export class PartsFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes it where there is none. */
  make(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
  }

  pathOf({ key, byteLength, stamp }: StoredObject): string {
    const id = createHash("sha256")
      .update(JSON.stringify([key, byteLength, stamp]))
      .digest("hex");
    return join(this.path, id);
  }

  /** What is there of an object. */
  bytesOf(object: StoredObject): number {
    const stats = lstatSync(this.pathOf(object), { throwIfNoEntry: false });
    return Math.min(object.byteLength, stats?.size ?? 0);
  }

  isComplete(object: StoredObject): boolean {
    return lstatSync(this.pathOf(object), { throwIfNoEntry: false })?.size === object.byteLength;
  }

  /** Removes what is for none of these. */
  keepOnly(objects: readonly StoredObject[]): void {
    const wanted = new Set(objects.map((object) => basename(this.pathOf(object))));
    for (const name of readdirSync(this.path))
      if (!wanted.has(name)) rmSync(join(this.path, name), { recursive: true, force: true });
  }
}
