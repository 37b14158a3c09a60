import { type ByteSource, ModelFileError } from "@sconce/torch";

/** Bytes in memory as a ByteSource. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    byteLength: bytes.length,
    read(offset, length) {
      if (offset < 0 || length < 0 || offset + length > bytes.length) {
        throw new ModelFileError("corrupt", `bytes ${offset}..${offset + length} lie past the end`);
      }
      return bytes.subarray(offset, offset + length);
    },
  };
}
