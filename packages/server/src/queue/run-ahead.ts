import type { ShapeKey } from "./batch-plan.ts";

/** What makes runs take about as long as each other. */
export interface RunSize {
  readonly shapeKey: ShapeKey;
  readonly rows: number;
}

/** So long before a run should end, the next batch may leave: it travels meanwhile, and hardly gives up its place in the queue. */
const LEAD_MS = 4;
/** Shorter runs gather more than the way there and back costs. */
const SHORTEST_MS = 10;
/** Share of the last run in what is expected of the next. */
const NEWS = 0.25;

/**
 * When an instance that is busy may be given its next batch. With a number as depth: at once, until so many runs are outstanding. `auto`: one,
 * shortly before the run should end, where a run of this size has been seen and is long; a batch that waits in a worker cannot be
 * cancelled, displaced or joined any more, so that it had better not wait there.
 */
export class RunAhead {
  /** Most runs outstanding per instance. */
  readonly depth: number;
  readonly #isAuto: boolean;
  /** Of the last shape that ran with so many rows. */
  readonly #byRows = new Map<number, { readonly shapeKey: ShapeKey; readonly ms: number }>();

  constructor(depth: number | "auto") {
    this.#isAuto = depth === "auto";
    this.depth = depth === "auto" ? 2 : depth;
  }

  /** A run took so long in its worker. */
  observe({ shapeKey, rows }: RunSize, ms: number): void {
    if (!this.#isAuto) return;
    const known = this.#byRows.get(rows);
    const isSame = known !== undefined && known.shapeKey === shapeKey;
    this.#byRows.set(rows, { shapeKey, ms: isSame ? known.ms + NEWS * (ms - known.ms) : ms });
  }

  /** When the batch after a run that begins at `nowMs` may leave; Infinity: when that run has ended. */
  nextMs({ shapeKey, rows }: RunSize, nowMs: number): number {
    if (!this.#isAuto) return Number.NEGATIVE_INFINITY;
    const known = this.#byRows.get(rows);
    if (known === undefined || known.shapeKey !== shapeKey || known.ms < SHORTEST_MS)
      return Number.POSITIVE_INFINITY;
    return nowMs + known.ms - LEAD_MS;
  }
}
