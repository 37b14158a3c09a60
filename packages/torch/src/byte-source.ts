/** A file as random-access bytes. Reads are synchronous; its opener closes it. */
export interface ByteSource {
  /** File name without folders, used in messages and as the `location` of external data. */
  readonly name: string;
  readonly byteLength: number;
  /**
   * Where byte 0 lies inside the outermost file. Absent: the source is that file. Null: nowhere, the bytes were made in memory (an
   * inflated zip entry), so they cannot be mapped from disk by offset.
   */
  readonly fileOffset?: number | null;
  /** Exactly `length` bytes from `offset`; throws ModelFileError("corrupt") past the end. May be a view on shared memory. */
  read(offset: number, length: number): Uint8Array;
}

/** What the readers need from the platform. `@sconce/torch/node` has Node's. */
export interface Platform {
  /** Inflates raw deflate data; throws ModelFileError("limit") when the result would pass `maxBytes`. */
  inflateRaw(bytes: Uint8Array, maxBytes: number): Uint8Array;
}
