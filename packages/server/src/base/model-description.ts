import type { Signature } from "./signature.ts";

/** What a model's file may ask for. An operator's word and a model.yaml come before it. */
export interface OwnSettings {
  readonly instances?: number;
  readonly maxQueueDelayMs?: number;
  readonly maxQueueSize?: number;
  readonly executionTimeoutMs?: number;
}

/** How a model that keeps the state of its sequences itself wants them. */
export interface SequenceTurns {
  /** How long a sequence lives without a request. */
  readonly idleMs: number;
  readonly maxSequences: number;
  /** Requests of one sequence that wait for the one before. */
  readonly maxWaiting: number;
}

/** What a runtime learned about a model while it loaded it. Shown by metadata, `sconce inspect` and the log. */
export interface ModelDescription {
  readonly signature: Signature;
  /** OIP `platform`, such as `pytorch_pt2` or `onnx`. */
  readonly platform: string;
  /** Which runtime runs it. */
  readonly runtime: "onnx" | "python" | "js" | "pipeline";
  /** Why that runtime, in one sentence. */
  readonly runtimeReason: string;
  /** The device that its first instance computes on, such as `cuda:0`; undefined: the processor. */
  readonly computesOn?: string;
  readonly parameterCount: number;
  readonly weightBytes: number;
  /** Hex SHA-256 of the model's files, or of their identity where hashing is too slow; part of cache keys. */
  readonly digest: string;
  /** What the model's own file asks of its server; undefined: nothing. */
  readonly asks?: OwnSettings;
  /** Undefined: it keeps no state of its own that its server has to know of. */
  readonly turns?: SequenceTurns;
  /** Requests that each of its instances runs at once, which come, and are answered, in any order. Undefined: one run after another. */
  readonly runsAtOnce?: number;
  /** Things a user should know that did not stop the load. */
  readonly warnings: readonly string[];
  /** How long each step of the load took: `translate`, `session`, `warmup`. */
  readonly loadMs: Readonly<Record<string, number>>;
}
