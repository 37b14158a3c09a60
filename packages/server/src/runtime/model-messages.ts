import type { ModelDescription } from "../base/model-description.ts";
import type { FileStamp } from "./file-stamp.ts";
import type { LoadSpec } from "./runtime.ts";

/**
 * What a model worker can be asked. `load` comes once and first; `warm` may follow when there is nothing to run. `optimise` is for a worker
 * that loads no model: a `load` call's header, and an empty result.
 */
export const METHODS = { load: 1, run: 2, warm: 3, optimise: 4 } as const;

/** Header of a `load` call. */
export interface LoadMessage {
  readonly spec: LoadSpec;
  /** Which of the model's instances this one is, from 0 on. */
  readonly instance?: number;
  /** False when the server process knows the digest already, and nobody touched the files: a restart, or one more instance. */
  readonly wantsDigest: boolean;
  /** What the server process knows it to be, where it does. */
  readonly digest?: string | undefined;
}

/** Header of its result. */
export interface LoadedMessage {
  readonly description: ModelDescription;
  /** The files it was read from, as they were then. */
  readonly files: readonly FileStamp[];
  /** False: `warm` has something left to do. */
  readonly isWarm: boolean;
  /** Whether `optimise`, in another worker, may make later starts faster. */
  readonly mayOptimise?: boolean;
}

export function encodeMessage(message: LoadMessage | LoadedMessage): Uint8Array {
  return Buffer.from(JSON.stringify(message), "utf8");
}

/** Reads what `encodeMessage` wrote in the other process of the same release; the type is the caller's to know. */
export function decodeMessage<T extends LoadMessage | LoadedMessage>(header: Uint8Array): T {
  return JSON.parse(Buffer.from(header).toString("utf8")) as T;
}
