/** A sum over the last `windowMs`, kept in ten slots: old values leave a tenth of the window at a time. */
export class SlidingCount {
  readonly #slots = new Float64Array(10);
  readonly #slotMs: number;
  #slot = Number.NEGATIVE_INFINITY;
  #total = 0;

  constructor(windowMs: number) {
    this.#slotMs = windowMs / this.#slots.length;
  }

  add(amount: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#slots[this.#slot % this.#slots.length]! += amount;
    this.#total += amount;
  }

  total(nowMs: number): number {
    this.#advance(nowMs);
    return this.#total;
  }

  #advance(nowMs: number): void {
    const slot = Math.floor(nowMs / this.#slotMs);
    if (slot <= this.#slot) return;
    const steps = Math.min(this.#slots.length, slot - this.#slot);
    for (let i = 0; i < steps; i++) {
      const index = (slot - i + this.#slots.length) % this.#slots.length;
      this.#total -= this.#slots[index]!;
      this.#slots[index] = 0;
    }
    this.#slot = slot;
  }
}
