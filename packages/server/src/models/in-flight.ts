/** Requests that were taken and are not settled yet. */
export class InFlight {
  #count = 0;
  readonly #listeners = new Set<() => void>();

  get count(): number {
    return this.#count;
  }

  begin(): void {
    this.#count += 1;
  }

  end(): void {
    this.#count -= 1;
    if (this.#count === 0) for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` whenever the last request settled; the returned function stops that. */
  onIdle(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when none is in flight. */
  idle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.onIdle(() => {
        stop();
        resolve();
      });
    });
  }
}
