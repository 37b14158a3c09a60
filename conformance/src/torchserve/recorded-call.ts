/** Which of TorchServe's ports a call goes to. */
export type Port = "inference" | "management" | "metrics";

/**
 * How closely answers must agree. `bytes`: status, type and body; `numbers`: the same, but numbers in JSON by one part in 10⁵; `shape`: status, and the
 * names and kinds of what the JSON holds; `api`: the operations of an OpenAPI description; `status`: the status alone.
 */
export type Closeness = "bytes" | "numbers" | "shape" | "api" | "status";

/** A call of the set that TorchServe's answers are recorded of. */
export interface RecordedCall {
  readonly name: string;
  readonly port: Port;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | FormData;
  /** Sent this many times at once; the answers are compared in any order. */
  readonly times?: number;
  readonly closeness: Closeness;
}

/** What was answered, as far as it is compared. */
export interface RecordedAnswer {
  readonly status: number;
  /** "": it had none. */
  readonly type?: string;
  /** What a handler set itself. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Text; base64 of what is none; a digest of what is large. */
  readonly body?: string | { readonly base64: string } | { readonly sha256: string };
  readonly shape?: unknown;
  readonly operations?: readonly string[];
}

/** A call by its name, and its answers in turn. */
export interface Recorded {
  readonly call: string;
  readonly answers: readonly RecordedAnswer[];
}
