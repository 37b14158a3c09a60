/** The promise of a drain: made when first asked for, kept when the last thing has ended. */
export class Drain {
  #promise: Promise<void> | undefined;
  #resolve: () => void = () => {};

  get isWanted(): boolean {
    return this.#promise !== undefined;
  }

  want(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#promise;
  }

  done(): void {
    this.#resolve();
  }
}
