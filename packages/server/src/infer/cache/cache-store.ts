/** What a cache store has under a key. `bytes` come from elsewhere and may be anything. */
export interface StoreEntry {
  /** Empty: nothing is there. */
  readonly bytes: Uint8Array;
  /** How long it stays there; negative: for ever, or not any more. */
  readonly ttlMs: number;
  /** The claim that came with the question is there now. */
  readonly isClaimed: boolean;
}

/** What to put under a key where nothing is, and for how long. */
export interface StoreClaim {
  readonly bytes: Uint8Array;
  readonly leaseMs: number;
}

/** Bytes under keys that several servers share. Never in the way: nothing of it throws or rejects, and no answer takes longer than its timeout. */
export interface CacheStore {
  /** What is under a key, at most one byte more than a value may have. Undefined at once when it is not asked, and later when it did not answer. */
  look(key: string, claim: StoreClaim): Promise<StoreEntry | undefined> | undefined;
  /** Whether `look` and `put` would be tried. */
  readonly isUsable: boolean;
  /** Bytes of the largest value. */
  readonly maxValueBytes: number;
  /** Takes the bytes over; they are gone after `ttlMs`. */
  put(key: string, bytes: Uint8Array, ttlMs: number): void;
  remove(key: string): void;
}
