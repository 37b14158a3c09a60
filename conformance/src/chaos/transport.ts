import { monotonicMs } from "./monotonic.ts";
import { ROW_BYTES } from "./row.ts";

/** One request of a load. */
export interface Ask {
  readonly model: string;
  readonly rows: readonly Uint8Array[];
  /** Monotonic; after it nobody waits for the answer. */
  readonly deadlineMs?: number;
  readonly tenant?: string;
}

/** What came back. */
export interface Reply {
  /** `ok`; a status number with its reason; `cancelled` by this side; `broken`: no answer. */
  readonly outcome: string;
  /** It was turned away, and may come back later. */
  readonly isRefusal: boolean;
  /** It says when to come back. */
  readonly hasHint: boolean;
  readonly version: number;
  readonly isRight: boolean;
  /** One per row. */
  readonly tags: readonly number[];
  /** A version that an earlier answer on the same connection had; 0: none. */
  readonly versionBefore: number;
  readonly detail: string;
}

export interface Sent {
  readonly done: Promise<Reply>;
  cancel(): void;
}

/** One kind of client with its connections. Never rejects: what went wrong is a reply. */
export interface Transport {
  ask(ask: Ask): Sent;
  close(): void;
}

/** What is left until an ask's deadline, in whole milliseconds, at least one; undefined: it has none. */
export function timeLeftMs({ deadlineMs }: Ask): number | undefined {
  return deadlineMs === undefined ? undefined : Math.max(1, Math.round(deadlineMs - monotonicMs()));
}

export function failure(outcome: string, options: Partial<Reply> = {}): Reply {
  return {
    outcome,
    isRefusal: false,
    hasHint: false,
    version: 0,
    isRight: false,
    tags: [],
    versionBefore: 0,
    detail: "",
    ...options,
  };
}

export function success(
  ask: Ask,
  answer: {
    readonly y: Uint8Array;
    readonly tags: readonly number[];
    readonly version: number;
    readonly versionBefore: number;
  },
): Reply {
  const { y, ...rest } = answer;
  return { outcome: "ok", isRefusal: false, hasHint: false, detail: "", isRight: echoes(ask, y), ...rest };
}

/** The calibrated model answers with what it was asked, byte for byte. */
function echoes(ask: Ask, y: Uint8Array): boolean {
  if (y.byteLength !== ask.rows.length * ROW_BYTES) return false;
  return ask.rows.every(
    (row, index) => Buffer.compare(row, y.subarray(index * ROW_BYTES, (index + 1) * ROW_BYTES)) === 0,
  );
}
