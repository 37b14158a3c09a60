import type { Piece } from "./job.ts";

/** Batches of failed runs that are to be run once more, in order; they go before everything that waits. */
export class RerunLine {
  #groups: (readonly Piece[])[] = [];

  get length(): number {
    return this.#groups.length;
  }

  /** Puts batches at the head of the line. */
  addFirst(groups: readonly (readonly Piece[])[]): void {
    if (groups.length > 0) this.#groups = [...groups, ...this.#groups];
  }

  next(): readonly Piece[] | undefined {
    return this.#groups.shift();
  }

  /** Empties the line. */
  takeAll(): Piece[] {
    const groups = this.#groups;
    this.#groups = [];
    return groups.flat();
  }

  /** Lets go of batches that nobody waits for any more. */
  tidy(): void {
    if (this.#groups.length === 0) return;
    this.#groups = this.#groups.filter((group) => group.some((piece) => !piece.job.isSettled));
  }
}
