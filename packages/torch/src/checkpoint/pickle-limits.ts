/** Limits of one pickle. Every one throws ModelFileError("limit") when passed. */
export interface PickleLimits {
  /** Bytes of the pickle itself; weights lie outside it. Default 64 MiB. */
  readonly maxBytes: number;
  /** Opcodes. About 25 describe one tensor of a state dict. Default 5,000,000. */
  readonly maxOps: number;
  /** Values on the stack. Default 1,000,000. */
  readonly maxStack: number;
  /** Values in the memo. Default 1,000,000. */
  readonly maxMemo: number;
  /** Open MARKs. Default 1,000. */
  readonly maxMarks: number;
  /** Bytes of one integer (two decimal digits count as one). Default 256. */
  readonly maxIntegerBytes: number;
  /** Bytes of one text line (names, text-form numbers and strings). Default 65,536. */
  readonly maxLineBytes: number;
}

export const PICKLE_LIMITS: PickleLimits = {
  maxBytes: 64 * 2 ** 20,
  maxOps: 5_000_000,
  maxStack: 1_000_000,
  maxMemo: 1_000_000,
  maxMarks: 1_000,
  maxIntegerBytes: 256,
  maxLineBytes: 65_536,
};
