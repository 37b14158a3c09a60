import type { UnsupportedOps } from "../graph/ir.ts";

/** The ops that a reader does not support, by name and reason, with how often each occurs. */
export class UnsupportedLog {
  readonly #found = new Map<string, { op: string; count: number; reason: string }>();

  add(op: string, reason: string): void {
    const key = `${op}\n${reason}`;
    const known = this.#found.get(key);
    if (known === undefined) this.#found.set(key, { op, count: 1, reason });
    else known.count += 1;
  }

  list(): UnsupportedOps[] {
    return [...this.#found.values()];
  }
}
