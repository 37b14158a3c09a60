/** A store that answered, and does not do what it was asked. `word` is the first of its message, such as `OOM` or `NOPERM`. */
export interface StoreRefusal {
  readonly word: string;
  readonly message: string;
}

export type StoreReply = Uint8Array | number | null | StoreRefusal;

/** A connection to a store that speaks Redis's protocol. */
export interface StoreConnection {
  /** Sends a command behind those before it. Resolves with a refusal as well; rejects when the connection is lost. */
  send(command: readonly (string | Buffer)[]): Promise<StoreReply>;
  /** Called when the connection is lost. */
  onEnd(listener: (reason: string) => void): void;
  /** Ends it at once; what was not answered rejects. */
  destroy(): void;
}

export function isRefusal(reply: StoreReply): reply is StoreRefusal {
  return typeof reply === "object" && reply !== null && "word" in reply;
}
