import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { oneLine } from "../base/printable.ts";
import { PartFile } from "./part-file.ts";
import type { Store, StoredObject } from "./store.ts";
import { mayPass, refused, storeError } from "./store-error.ts";
import { pause } from "./with-limit.ts";

export interface DownloadOptions {
  readonly store: Store;
  readonly object: StoredObject;
  /** Where it goes; what is there of it already is not read again. */
  readonly path: string;
  /** In hex; undefined: any. */
  readonly sha256: string | undefined;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** How long nothing may come. */
  readonly idleMs: number;
  readonly onBytes?: (byteLength: number) => void;
}

/** In a row without progress worth the name. */
const MAX_TRIES = 4;
const PROGRESS_BYTES = 1 << 20;
const FIRST_PAUSE_MS = 250;

/**
 * Downloads an object into a file, over failures that may pass: then it goes on where it was. Returns the digest. Rejects with ServeError; what has
 * come stays for the next time, unless it is certain to be of no use.
 */
export async function download(options: DownloadOptions): Promise<string> {
  const { object, path, sha256 } = options;
  const part = await PartFile.open(path, object.byteLength);
  try {
    if (object.stamp === "") await part.restart();
    await fill(part, options);
    await part.sync();
    const digest = part.digest();
    if (sha256 !== undefined && digest !== sha256) {
      await part.restart();
      throw mismatch(object.key, digest, sha256);
    }
    return digest;
  } finally {
    await part.close();
  }
}

async function fill(part: PartFile, options: DownloadOptions): Promise<void> {
  const { object, signal, clock, random } = options;
  for (let tries = 0; part.byteLength < object.byteLength; ) {
    const before = part.byteLength;
    try {
      await readOn(part, options);
    } catch (thrown) {
      signal.throwIfAborted();
      const error = storeError(thrown);
      tries = part.byteLength - before >= PROGRESS_BYTES ? 1 : tries + 1;
      if (error.code !== "unavailable" || tries >= MAX_TRIES) throw error;
      await pause(clock, FIRST_PAUSE_MS * 2 ** tries * (0.5 + random() / 2), signal);
    }
  }
}

/** Reads from where the part ends to the end of the object. */
async function readOn(part: PartFile, options: DownloadOptions): Promise<void> {
  const { store, object, onBytes } = options;
  const watch = watchProgress(options);
  try {
    const { offset, bytes } = await store.read(object, { offset: part.byteLength, signal: watch.signal });
    const stop = (): void => void bytes.destroy(mayPass(SILENT));
    watch.signal.addEventListener("abort", stop, { once: true });
    try {
      if (offset === 0 && part.byteLength > 0) await part.restart();
      else if (offset !== part.byteLength)
        throw refused("it sends another part of the file than was asked for");
      for await (const chunk of bytes as AsyncIterable<Buffer>) {
        watch.alive();
        if (part.byteLength + chunk.byteLength > object.byteLength) {
          await part.restart();
          throw refused(`it sends more than the ${object.byteLength} bytes that it spoke of`);
        }
        await part.write(chunk);
        onBytes?.(chunk.byteLength);
      }
    } finally {
      watch.signal.removeEventListener("abort", stop);
      bytes.destroy();
    }
  } catch (error) {
    throw watch.isSilent() ? mayPass(SILENT, error) : error;
  } finally {
    watch.end();
  }
  if (part.byteLength < object.byteLength)
    throw mayPass(`it ended after ${part.byteLength} of ${object.byteLength} bytes`);
}

const SILENT = "nothing came for too long";

interface ProgressWatch {
  /** Fires when the caller's does, or nothing comes. */
  readonly signal: AbortSignal;
  alive(): void;
  isSilent(): boolean;
  end(): void;
}

/** One timer for a whole content, not one for each piece. */
function watchProgress({ signal, clock, idleMs }: DownloadOptions): ProgressWatch {
  const abort = new AbortController();
  let lastMs = clock.nowMs();
  let isSilent = false;
  let cancel = (): void => {};
  const look = (delayMs: number): void => {
    cancel = clock.after(delayMs, () => {
      const leftMs = lastMs + idleMs - clock.nowMs();
      if (leftMs > 0) {
        look(leftMs);
        return;
      }
      isSilent = true;
      abort.abort();
    });
  };
  const forward = (): void => abort.abort(signal.reason);
  signal.addEventListener("abort", forward, { once: true });
  if (signal.aborted) forward();
  look(idleMs);
  return {
    signal: abort.signal,
    alive() {
      lastMs = clock.nowMs();
    },
    isSilent: () => isSilent,
    end() {
      cancel();
      signal.removeEventListener("abort", forward);
    },
  };
}

function mismatch(key: string, digest: string, expected: string): ServeError {
  return new ServeError(
    "failed_precondition",
    `${oneLine(key)} has the SHA-256 ${digest}, and ${expected} was expected`,
    { reason: "digest_mismatch" },
  );
}
