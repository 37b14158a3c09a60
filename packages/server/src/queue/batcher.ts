import type { Line, Piece, ShapeKey } from "./job.ts";
import { Lane } from "./lane.ts";

export interface BatcherOptions {
  /** Rows of a full batch. */
  readonly maxRows: number;
  /** How long a batch that is not full may wait for more while an executor is idle. */
  readonly maxDelayMs: number;
  /** Sizes worth stopping at before the delay is over. */
  readonly preferredSizes: readonly number[];
  /** How many priorities there are. */
  readonly levels: number;
}

interface Level {
  readonly lanes: Lane[];
  readonly byTenant: Map<string, Lane>;
  /** Index of the lane whose turn it is. */
  turn: number;
  size: number;
  rows: number;
}

/**
 * Which waiting pieces run together, and when: state in, batches out. No timers and no clock; the owner asks `take(now)` when an
 * executor is free and sleeps until `nextWakeAt()`.
 *
 * The head of the highest priority decides the shape; pieces of that shape follow, lower priorities fill what is left. Within a
 * priority tenants take turns, one piece each; within a tenant it is first come, first served per shape, and a piece that
 * does not fit ends its tenant's turn (nothing overtakes it). Sizes and delay mean what they mean in Triton's dynamic batcher: a
 * preferred size is taken while the delay lasts, anything up to the maximum once it is over; delay 0 takes what waits.
 */
export class Batcher {
  rows = 0;
  bytes = 0;
  size = 0;
  readonly #options: BatcherOptions;
  readonly #levels: Level[] = [];
  readonly #preferred: ReadonlySet<number>;
  readonly #picked: Piece[] = [];
  readonly #cursors: (Piece | undefined)[] = [];
  #pickedRows = 0;
  #preferredCount = 0;
  #isFull = false;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#preferred = new Set(options.preferredSizes);
    for (let i = 0; i < options.levels; i++) {
      this.#levels.push({ lanes: [], byTenant: new Map(), turn: 0, size: 0, rows: 0 });
    }
  }

  push(piece: Piece): void {
    const level = this.#levels[piece.job.level]!;
    let lane = level.byTenant.get(piece.job.tenant);
    if (lane === undefined) {
      lane = new Lane(piece.job.tenant);
      level.byTenant.set(lane.tenant, lane);
      level.lanes.push(lane);
    }
    lane.append(piece);
    level.size += 1;
    level.rows += piece.rows;
    this.size += 1;
    this.rows += piece.rows;
    this.bytes += piece.bytes;
  }

  /** Takes a waiting piece out. */
  remove(piece: Piece): void {
    const level = this.#levels[piece.job.level]!;
    const { line } = piece.bucket!;
    line.remove(piece);
    level.size -= 1;
    level.rows -= piece.rows;
    this.size -= 1;
    this.rows -= piece.rows;
    this.bytes -= piece.bytes;
    if (line.size === 0 && level.lanes.length > 1) dropLane(level, line);
  }

  /** The batch to run now on a free executor, taken out of the queue; undefined: nothing is due (see `nextWakeAt`). */
  take(nowMs: number): Piece[] | undefined {
    this.#wakeMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#levels.length; i++) {
      const level = this.#levels[i]!;
      if (level.size === 0) continue;
      const count = this.#options.maxDelayMs > 0 ? this.#findDue(i, level, nowMs) : this.#findFirst(i, level);
      if (count > 0) return this.#commit(level, count);
    }
    return undefined;
  }

  /** When `take` may have a batch that it did not have at its last call; Infinity: only after a push. */
  nextWakeAt(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.#wakeMs;
  }

  /** Rows that would run before a new piece of this level, at most: everything at this level and above. */
  rowsAhead(level: number): number {
    let rows = 0;
    for (let i = 0; i <= level; i++) rows += this.#levels[i]!.rows;
    return rows;
  }

  /**
   * Who gives way when the queue is full: the newest piece of the lowest priority below `level`, or, at the same priority, of a tenant
   * that has at least two more waiting than `tenant`. Undefined: nobody.
   */
  victim(level: number, tenant: string): Piece | undefined {
    for (let i = this.#levels.length - 1; i > level; i--) {
      if (this.#levels[i]!.size > 0) return longest(this.#levels[i]!.lanes).last;
    }
    const own = this.#levels[level]!;
    if (own.lanes.length === 0) return undefined;
    const lane = longest(own.lanes);
    return lane.size >= (own.byTenant.get(tenant)?.size ?? 0) + 2 ? lane.last : undefined;
  }

  /** Every waiting piece, highest priority first, oldest first within a tenant. A copy: pieces may be removed meanwhile. */
  all(): Piece[] {
    const pieces: Piece[] = [];
    for (const level of this.#levels) {
      for (const lane of level.lanes) {
        for (let piece = lane.first; piece !== undefined; piece = piece.next) pieces.push(piece);
      }
    }
    return pieces;
  }

  #findFirst(index: number, level: Level): number {
    const turn = nextTurn(level);
    const lane = level.lanes[turn]!;
    this.#collect(index, turn, lane.first!.job.shapeKey);
    return this.#preferredCount > 0 ? this.#preferredCount : this.#picked.length;
  }

  #findDue(index: number, level: Level, nowMs: number): number {
    const start = nextTurn(level);
    for (let i = 0; i < level.lanes.length; i++) {
      const turn = (start + i) % level.lanes.length;
      for (const bucket of level.lanes[turn]!.buckets.values()) {
        if (bucket.first === undefined) continue;
        this.#collect(index, turn, bucket.key);
        const count = this.#dueCount(nowMs);
        if (count > 0) return count;
      }
    }
    return 0;
  }

  #dueCount(nowMs: number): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#picked.length; i++) dueMs = Math.min(dueMs, this.#picked[i]!.dueMs);
    if (nowMs >= dueMs) return this.#picked.length;
    if (this.#preferredCount > 0) return this.#preferredCount;
    if (this.#isFull) return this.#picked.length;
    this.#wakeMs = Math.min(this.#wakeMs, dueMs);
    return 0;
  }

  /** Fills `#picked` with what a batch of this shape would hold. */
  #collect(index: number, turn: number, key: ShapeKey): void {
    this.#picked.length = 0;
    this.#pickedRows = 0;
    this.#preferredCount = 0;
    this.#isFull = false;
    for (let i = index; i < this.#levels.length && !this.#isFull; i++) {
      const level = this.#levels[i]!;
      if (level.size > 0) this.#collectLevel(level, i === index ? turn : level.turn, key);
    }
  }

  #collectLevel(level: Level, start: number, key: ShapeKey): void {
    const lanes = level.lanes;
    for (let i = 0; i < lanes.length; i++) {
      this.#cursors[i] = lanes[(start + i) % lanes.length]!.buckets.get(key)?.first;
    }
    let hasMore = true;
    while (hasMore) {
      hasMore = false;
      for (let i = 0; i < lanes.length; i++) {
        const piece = this.#cursors[i];
        if (piece === undefined) continue;
        if (!this.#pick(piece)) {
          this.#cursors[i] = undefined;
          continue;
        }
        this.#cursors[i] = piece.bucketNext;
        hasMore = true;
      }
    }
  }

  #pick(piece: Piece): boolean {
    const rows = this.#pickedRows + Math.max(1, piece.rows);
    if (rows > this.#options.maxRows && this.#picked.length > 0) {
      this.#isFull = true;
      return false;
    }
    this.#pickedRows = rows;
    this.#picked.push(piece);
    if (rows >= this.#options.maxRows) this.#isFull = true;
    if (this.#preferred.has(rows)) this.#preferredCount = this.#picked.length;
    return true;
  }

  #commit(level: Level, count: number): Piece[] {
    const batch = this.#picked.slice(0, count);
    this.#picked.length = 0;
    const lastLane = level.lanes.length > 1 ? lastLaneOf(level, batch) : undefined;
    if (lastLane !== undefined) level.turn = (level.lanes.indexOf(lastLane) + 1) % level.lanes.length;
    for (let i = 0; i < batch.length; i++) this.remove(batch[i]!);
    return batch;
  }
}

/** The lane whose turn it is: the first from `turn` on that has something waiting. */
function nextTurn(level: Level): number {
  let turn = level.turn % level.lanes.length;
  while (level.lanes[turn]!.size === 0) turn = (turn + 1) % level.lanes.length;
  return turn;
}

function lastLaneOf(level: Level, batch: readonly Piece[]): Lane | undefined {
  for (let i = batch.length - 1; i >= 0; i--) {
    const { line } = batch[i]!.bucket!;
    const lane = level.byTenant.get(line.tenant);
    if (lane === line) return lane;
  }
  return undefined;
}

function longest(lanes: readonly Lane[]): Lane {
  return lanes.reduce((most, lane) => (lane.size > most.size ? lane : most));
}

function dropLane(level: Level, { tenant }: Line): void {
  const index = level.lanes.findIndex((lane) => lane.tenant === tenant);
  level.lanes.splice(index, 1);
  level.byTenant.delete(tenant);
  if (index < level.turn) level.turn -= 1;
}
