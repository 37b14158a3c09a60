/** Limits against archives made to hurt. Every one throws ModelFileError("limit") when passed. */
export interface ZipLimits {
  /** Entries, folders included. A large language model has tens of thousands of weights, each an entry. Default 200,000. */
  readonly maxEntries: number;
  /** Bytes of the central directory, which is read as one block. Default 64 MiB. */
  readonly maxDirectoryBytes: number;
  /** Bytes of one entry's name. Default 1,024. */
  readonly maxNameBytes: number;
  /** Inflated size over compressed size of one entry; entries below 64 KiB are free. Default 100. */
  readonly maxRatio: number;
  /** Sum of the inflated sizes of all compressed entries. Default 2 GiB. */
  readonly maxInflatedBytes: number;
  /** Bytes of one entry that `read` puts into memory. Default 2 GiB. */
  readonly maxReadBytes: number;
  /** Stored entries up to this size have their checksum checked by `read`; inflated ones always. Default 16 MiB. */
  readonly maxStoredCrcBytes: number;
}

export const ZIP_LIMITS: ZipLimits = {
  maxEntries: 200_000,
  maxDirectoryBytes: 64 * 2 ** 20,
  maxNameBytes: 1_024,
  maxRatio: 100,
  maxInflatedBytes: 2 ** 31,
  maxReadBytes: 2 ** 31,
  maxStoredCrcBytes: 16 * 2 ** 20,
};
