/** Counts of ops that could not be translated, by target and reason. */
export class UnsupportedOpLog {
  readonly #found = new Map<string, { op: string; reason: string; count: number }>();

  add(op: string, reason: string): void {
    const key = `${op}\n${reason}`;
    const known = this.#found.get(key);
    if (known !== undefined) known.count += 1;
    else this.#found.set(key, { op, reason, count: 1 });
  }

  get isEmpty(): boolean {
    return this.#found.size === 0;
  }

  /** Most frequent first. */
  list(): { op: string; reason: string; count: number }[] {
    return [...this.#found.values()].sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
  }
}
