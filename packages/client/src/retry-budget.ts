/**
 * How many further attempts a client may make: a share of its calls, with some to begin with. A server that fails every call then sees
 * little more than the calls themselves, not several times as many (gRPC's retry throttling, proposal A6).
 */
export class RetryBudget {
  readonly #share: number;
  readonly #most: number;
  #tokens: number;

  /** `share`: further attempts per call, such as 0.2. `most`: what can be saved up. */
  constructor(share: number, most: number) {
    this.#share = share;
    this.#most = most;
    this.#tokens = most;
  }

  /** A call was answered. */
  earn(): void {
    this.#tokens = Math.min(this.#most, this.#tokens + this.#share);
  }

  /** Whether one more attempt may be made; then it is spent. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
