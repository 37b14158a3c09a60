/** What came back for one request. */
export interface Reply {
  /** `ok`, or how it failed in a word or two: `503`, `grpc 14`, `timeout`, `unexpected answer`. */
  readonly outcome: string;
  /** The server's own account of the time, as it came; undefined where the protocol has none. */
  readonly serverTiming: string | undefined;
}

/** One connection of a load; it has one request under way at a time. */
export interface Sender {
  /** Sends the request and waits for its answer. Never rejects: failures are outcomes. */
  send(): Promise<Reply>;
  close(): void;
}
