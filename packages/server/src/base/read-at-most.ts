import { openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { closeRead } from "./close-read.ts";

const CHUNK_BYTES = 64 * 1024;

/**
 * Reads a file that the operator names, which may be a pipe or a device without an end; undefined: it is larger than `maxBytes`, and no more than that was read.
 * Rejects with what the file system throws.
 */
export async function readAtMost(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const handle = await open(path, "r");
  try {
    const gathered = new Gathered(maxBytes);
    while (gathered.isOpen) {
      const { bytesRead } = await handle.read(gathered.chunk, 0, CHUNK_BYTES);
      gathered.add(bytesRead);
    }
    return gathered.whole();
  } finally {
    await handle.close();
  }
}

/** The same, here and now. */
export function readAtMostSync(path: string, maxBytes: number): Buffer | undefined {
  const fd = openSync(path, "r");
  try {
    const gathered = new Gathered(maxBytes);
    while (gathered.isOpen) gathered.add(readSync(fd, gathered.chunk, 0, CHUNK_BYTES, null));
    return gathered.whole();
  } finally {
    closeRead(fd);
  }
}

class Gathered {
  /** Where the next bytes are read to. */
  readonly chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  isOpen = true;
  readonly #maxBytes: number;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(count: number): void {
    this.#parts.push(Buffer.from(this.chunk.subarray(0, count)));
    this.#bytes += count;
    this.isOpen = count > 0 && this.#bytes <= this.#maxBytes;
  }

  whole(): Buffer | undefined {
    return this.#bytes <= this.#maxBytes ? Buffer.concat(this.#parts) : undefined;
  }
}
