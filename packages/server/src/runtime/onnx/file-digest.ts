import { createHash } from "node:crypto";
import { fstatSync, openSync, readSync, statSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { closeRead } from "../../base/close-read.ts";
import { fileFault, onFile } from "../../base/file-fault.ts";
import { OPEN_FLAGS } from "../../base/open-below.ts";

/** Larger files are identified by size, modification time and both ends instead of all their bytes. */
const FULL_HASH_MAX_BYTES = 512 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
/** From here on a thread of its own is worth its start. */
const THREAD_MIN_BYTES = 16 * 1024 * 1024;

/** Whether `fileDigest` of so large a file covers every byte. */
export function isDigestWhole(fileBytes: number): boolean {
  return fileBytes <= FULL_HASH_MAX_BYTES;
}

/**
 * Hex SHA-256 of a file. Past 512 MiB it covers the size, the modification time, and the first and last MiB only (the last holds an
 * archive's central directory with the checksums of all entries): hashing every byte would then take longer than loading.
 * Throws Node's own error when it cannot be read.
 */
export function fileDigest(path: string): string {
  const fd = openSync(path, OPEN_FLAGS);
  try {
    const { size, mtimeMs } = fstatSync(fd);
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    const isWhole = isDigestWhole(size);
    if (!isWhole) hash.update(`${size}:${mtimeMs}`);
    for (let at = 0; at < size; at += CHUNK_BYTES) {
      if (!isWhole && at > 0 && at < size - CHUNK_BYTES) at = size - CHUNK_BYTES;
      const count = readSync(fd, buffer, 0, CHUNK_BYTES, at);
      if (count === 0) break;
      hash.update(buffer.subarray(0, count));
    }
    return hash.digest("hex");
  } finally {
    closeRead(fd);
  }
}

/**
 * `fileDigest` beside other work: large files are read in a thread, while the calling thread may be blocked in native code. Rejects with
 * `unavailable`/`file_unreadable`.
 */
export async function fileDigestBeside(path: string): Promise<string> {
  const isSmall = onFile(path, (file) => statSync(file).size) < THREAD_MIN_BYTES;
  if (isSmall) return onFile(path, fileDigest);
  const thread = new Worker(new URL("./digest-thread.js", import.meta.url), { workerData: path, env: {} });
  return new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", (error) => reject(fileFault(error, path)));
  });
}
