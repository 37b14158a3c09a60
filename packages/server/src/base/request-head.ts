/** What a request says before its body is read. Getters may parse a header, so it is asked only when the answer matters. */
export interface RequestHead {
  /** Whose request it is; undefined: nobody's in particular. */
  readonly tenant?: string | undefined;
  /** Monotonic milliseconds; the body may name an earlier time. Undefined: none so far. */
  readonly deadlineMs: number | undefined;
}
