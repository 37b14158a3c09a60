import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { detectFile } from "./detect-file.ts";
import type { FileFormat } from "./file-format.ts";

/** A file whose bytes take a while to come. */
export interface RemoteFile {
  readonly name: string;
  readonly byteLength: number;
  /** The bytes from `offset`; fewer than `length` at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** What is read at once, as a reader asks for neighbouring bytes next. */
const PIECE_BYTES = 64 * 1024;
/** A detection asks for about five pieces: the head, a zip's end and its directory. */
const MAX_PIECES = 256;

/** Thrown by a source that lacks bytes; never leaves this file. */
class MissingBytes extends Error {
  readonly offset: number;
  readonly length: number;

  constructor(offset: number, length: number) {
    super("bytes are missing");
    this.offset = offset;
    this.length = length;
  }
}

/**
 * `detectFile` for bytes that come later: it is asked again with more of the file until it stops asking. Rejects with what `read` rejects
 * with.
 */
export async function detectRemoteFile(file: RemoteFile): Promise<FileFormat> {
  const pieces: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  const source: ByteSource = {
    name: file.name,
    byteLength: file.byteLength,
    read(offset, length) {
      if (length === 0) return new Uint8Array(0);
      if (offset < 0 || offset + length > file.byteLength)
        throw new ModelFileError("corrupt", "bytes lie past the file's end");
      const piece = pieces.find(
        ({ offset: start, bytes }) => start <= offset && offset + length <= start + bytes.length,
      );
      if (piece === undefined) throw new MissingBytes(offset, length);
      return piece.bytes.subarray(offset - piece.offset, offset - piece.offset + length);
    },
  };
  while (pieces.length < MAX_PIECES) {
    try {
      return detectFile(source);
    } catch (error) {
      if (!(error instanceof MissingBytes)) throw error;
      const { offset, length } = error;
      const bytes = await file.read(
        offset,
        Math.min(Math.max(length, PIECE_BYTES), file.byteLength - offset),
      );
      // It became shorter since its size was asked; the next look at the folder sees the new size.
      if (bytes.length < length) return "unknown";
      pieces.push({ offset, bytes });
    }
  }
  return "unknown";
}
