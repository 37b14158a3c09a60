/**
 * One stream of requests of one client: a gRPC stream, a WebSocket. Requests of it that name no sequence are one sequence of their own for each
 * model, which ends with the stream.
 */
export class RequestStream {
  /** Models of which this stream has begun a sequence that it did not end. */
  readonly begun: Set<string> = new Set();
  readonly #listeners = new Set<() => void>();
  #isClosed = false;
  #arriving: Promise<void> | undefined;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Settles when the messages that came are submitted, where one takes several turns to decode. It never rejects. */
  get arriving(): Promise<void> | undefined {
    return this.#arriving;
  }

  /** Messages that come from now on are to be submitted after `submitted`, which must not reject, and those before it. */
  holdBack(submitted: Promise<void>): void {
    const before = this.#arriving;
    const arriving = before === undefined ? submitted : before.then(() => submitted);
    this.#arriving = arriving;
    void arriving.then(() => {
      if (this.#arriving === arriving) this.#arriving = undefined;
    });
  }

  /** Calls `listener` when the stream ends; the returned function stops that. */
  onClose(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}
