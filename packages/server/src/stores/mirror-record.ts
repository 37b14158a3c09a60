import { readFileSync } from "node:fs";
import { writeWhole } from "../base/write-whole.ts";
import { localName } from "./local-name.ts";
import type { StoredObject } from "./store.ts";

/** An object whose content is here. */
export interface MirroredObject extends StoredObject {
  /** In hex. */
  readonly sha256: string;
}

/** What a copy holds, and of when it is. */
export interface MirrorRecord {
  /** By key. */
  readonly objects: ReadonlyMap<string, MirroredObject>;
  /** When the store was last seen to hold this, in milliseconds since 1970. */
  readonly readAtMs: number;
}

const LAYOUT = 1;

/** Reads what `writeRecord` wrote; undefined: nothing, or nothing that can be understood. */
export function readRecord(path: string): MirrorRecord | undefined {
  try {
    const { layout, readAtMs, objects } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    if (layout !== LAYOUT || typeof readAtMs !== "number" || !Array.isArray(objects)) return undefined;
    const read = objects.map(mirroredObject);
    return { readAtMs, objects: new Map(read.map((object) => [object.key, object])) };
  } catch {
    return undefined;
  }
}

/** Writes it whole or not at all, and on the disk for good. */
export async function writeRecord(path: string, { readAtMs, objects }: MirrorRecord): Promise<void> {
  await writeWhole(path, JSON.stringify({ layout: LAYOUT, readAtMs, objects: [...objects.values()] }));
}

function mirroredObject(value: unknown): MirroredObject {
  const { key, byteLength, stamp, sha256 } = value as Record<string, unknown>;
  const isRight =
    typeof key === "string" &&
    localName(key) !== undefined &&
    typeof byteLength === "number" &&
    typeof stamp === "string" &&
    typeof sha256 === "string";
  if (!isRight) throw new TypeError("no record of an object");
  return { key, byteLength, stamp, sha256 };
}
