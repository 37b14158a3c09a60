import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { isOwnFile } from "../base/private-folder.ts";
import { refused } from "./store-error.ts";

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
const READ_BYTES = 1 << 20;

/** A file that is being downloaded: it keeps what has come, over failures and restarts, and knows its digest. */
export class PartFile {
  readonly #handle: FileHandle;
  #hash: Hash = createHash("sha256");
  #byteLength = 0;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Opens what is there, or a new file. More than `maxBytes` of it is thrown away. */
  static async open(path: string, maxBytes: number): Promise<PartFile> {
    const handle = await open(path, FLAGS, 0o600);
    try {
      const stats = await handle.stat();
      if (!isOwnFile(stats)) throw refused("its unfinished copy here was made by somebody else");
      const part = new PartFile(handle);
      if (stats.size > maxBytes) await part.restart();
      else await part.#readAgain(stats.size);
      return part;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** What is there so far. */
  get byteLength(): number {
    return this.#byteLength;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      const { bytesWritten } = await this.#handle.write(
        chunk,
        at,
        chunk.byteLength - at,
        this.#byteLength + at,
      );
      at += bytesWritten;
    }
    this.#hash.update(chunk);
    this.#byteLength += chunk.byteLength;
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash("sha256");
    this.#byteLength = 0;
  }

  /** SHA-256 of what is there, in hex. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Puts it on the disk for good. */
  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #readAgain(size: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(size, READ_BYTES));
    while (this.#byteLength < size) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.byteLength, this.#byteLength);
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#byteLength += bytesRead;
    }
  }
}
