import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { inflateRawSync } from "node:zlib";
import type { ByteSource, Platform } from "./byte-source.ts";
import { ModelFileError } from "./errors.ts";

/** One read call takes a 32-bit length at most. */
const MAX_READ = 2 ** 30;

/** A file on disk as a ByteSource; the caller closes it. */
export interface FileSource extends ByteSource {
  close(): void;
}

/** Opens a file for random access. Throws ModelFileError "unreadable" when the file system fails, now or later. */
export function openFileSource(path: string): FileSource {
  const name = basename(path);
  const fd = reading(name, () => openSync(path, "r"));
  const close = (): void => reading(name, () => closeSync(fd));
  try {
    return { ...fileSourceOf(fd, name), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** A file that somebody else opened, and closes. Throws as `openFileSource` does. */
export function fileSourceOf(fd: number, name: string): ByteSource {
  const byteLength = reading(name, () => fstatSync(fd).size);
  return {
    name,
    byteLength,
    read(offset, length) {
      if (offset < 0 || length < 0 || offset + length > byteLength) {
        throw new ModelFileError(
          "corrupt",
          `bytes ${offset}..${offset + length} lie past the file's end (${byteLength})`,
        );
      }
      const bytes = Buffer.allocUnsafeSlow(length);
      let done = 0;
      while (done < length) {
        const wanted = Math.min(length - done, MAX_READ);
        const got = reading(name, () => readSync(fd, bytes, done, wanted, offset + done));
        if (got === 0) throw new ModelFileError("corrupt", "the file became shorter while it was read");
        done += got;
      }
      return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
    },
  };
}

function reading<T>(name: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw new ModelFileError("unreadable", `${name} cannot be read`, { cause });
  }
}

/** What the readers need of Node. */
export const nodePlatform: Platform = {
  inflateRaw(bytes, maxBytes) {
    try {
      return inflateRawSync(bytes, { maxOutputLength: Math.max(1, maxBytes) });
    } catch (error) {
      if (error instanceof RangeError) {
        throw new ModelFileError("limit", `a compressed entry is larger than ${maxBytes} bytes`, {
          cause: error,
        });
      }
      throw new ModelFileError("corrupt", "a compressed entry cannot be inflated", { cause: error });
    }
  },
};
