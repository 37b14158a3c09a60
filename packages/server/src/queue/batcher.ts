import type { ShapeKey } from "./batch-plan.ts";
import type { BatchItem, ShapeBucket } from "./queued-request.ts";

/** Empty buckets kept for reuse, so that a model with few shapes allocates none per request. */
const KEPT_BUCKETS = 16;

export interface BatcherOptions {
  /** Rows of a full batch. */
  readonly maxRows: number;
  /** How long a batch that is not full may wait for more while an instance is idle. */
  readonly maxDelayMs: number;
  /** Sizes worth stopping at before the delay is over. */
  readonly preferredSizes: readonly number[];
  /** How many priorities there are. */
  readonly levels: number;
}

interface Level {
  readonly queues: TenantQueue[];
  readonly byTenant: Map<string, TenantQueue>;
  /** Index of the tenant queue whose turn it is. */
  turn: number;
  size: number;
  rows: number;
}

/**
 * Which waiting items run together, and when: state in, batches out. No timers and no clock; the owner asks `take(now)` when an
 * instance is free and sleeps until `nextWakeAt()`.
 *
 * The head of the highest priority decides the shape; items of that shape follow, lower priorities fill what is left. Within a
 * priority tenants take turns, one item each; within a tenant it is first come, first served per shape, and an item that
 * does not fit ends its tenant's turn (nothing overtakes it). Sizes and delay mean what they mean in Triton's dynamic batcher: a
 * preferred size is taken while the delay lasts, anything up to the maximum once it is over; delay 0 takes what waits.
 */
export class Batcher {
  #size = 0;
  #bytes = 0;
  readonly #options: BatcherOptions;
  readonly #levels: Level[] = [];
  readonly #preferred: ReadonlySet<number>;
  readonly #picked: BatchItem[] = [];
  readonly #cursors: (BatchItem | undefined)[] = [];
  #pickedRows = 0;
  #preferredCount = 0;
  #isFull = false;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#preferred = new Set(options.preferredSizes);
    for (let i = 0; i < options.levels; i++) {
      this.#levels.push({ queues: [], byTenant: new Map(), turn: 0, size: 0, rows: 0 });
    }
  }

  /** Items that wait. */
  get size(): number {
    return this.#size;
  }

  /** Input bytes of the items that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  push(item: BatchItem): void {
    const level = this.#levels[item.request.level]!;
    let queue = level.byTenant.get(item.request.tenant);
    if (queue === undefined) {
      queue = new TenantQueue();
      level.byTenant.set(item.request.tenant, queue);
      level.queues.push(queue);
    }
    queue.append(item);
    level.size += 1;
    level.rows += item.rows;
    this.#size += 1;
    this.#bytes += item.bytes;
  }

  /** Takes a waiting item out. */
  remove(item: BatchItem): void {
    const level = this.#levels[item.request.level]!;
    item.bucket!.queue.remove(item);
    level.size -= 1;
    level.rows -= item.rows;
    this.#size -= 1;
    this.#bytes -= item.bytes;
    if (level.queues.length > 1) dropWhenEmpty(level, item.request.tenant);
  }

  /** The batch to run now on a free instance, taken out of the queue; undefined: nothing is due (see `nextWakeAt`). */
  take(nowMs: number): BatchItem[] | undefined {
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
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#wakeMs;
  }

  /** Rows that would run before a new item of this level, at most: everything at this level and above. */
  rowsAhead(level: number): number {
    let rows = 0;
    for (let i = 0; i <= level; i++) rows += this.#levels[i]!.rows;
    return rows;
  }

  /**
   * Who is displaced when the queue is full: the newest item of the lowest priority below `level`, or, at the same priority, of a tenant
   * that has at least two more waiting than `tenant`. Undefined: none.
   */
  victim(level: number, tenant: string): BatchItem | undefined {
    for (let i = this.#levels.length - 1; i > level; i--) {
      if (this.#levels[i]!.size > 0) return longest(this.#levels[i]!.queues).last;
    }
    const own = this.#levels[level]!;
    if (own.queues.length === 0) return undefined;
    const queue = longest(own.queues);
    return queue.size >= (own.byTenant.get(tenant)?.size ?? 0) + 2 ? queue.last : undefined;
  }

  /** Every waiting item, highest priority first, oldest first within a tenant. A copy: items may be removed meanwhile. */
  all(): BatchItem[] {
    const items: BatchItem[] = [];
    for (const level of this.#levels) {
      for (const queue of level.queues) {
        for (let item = queue.first; item !== undefined; item = item.next) items.push(item);
      }
    }
    return items;
  }

  #findFirst(index: number, level: Level): number {
    const turn = nextTurn(level);
    const queue = level.queues[turn]!;
    this.#collect(index, turn, queue.first!.request.shapeKey);
    return this.#preferredCount > 0 ? this.#preferredCount : this.#picked.length;
  }

  #findDue(index: number, level: Level, nowMs: number): number {
    const start = nextTurn(level);
    for (let i = 0; i < level.queues.length; i++) {
      const turn = (start + i) % level.queues.length;
      for (const bucket of level.queues[turn]!.buckets.values()) {
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
    const queues = level.queues;
    for (let i = 0; i < queues.length; i++) {
      this.#cursors[i] = queues[(start + i) % queues.length]!.buckets.get(key)?.first;
    }
    let hasMore = true;
    while (hasMore) {
      hasMore = false;
      for (let i = 0; i < queues.length; i++) {
        const item = this.#cursors[i];
        if (item === undefined) continue;
        if (!this.#pick(item)) {
          this.#cursors[i] = undefined;
          continue;
        }
        this.#cursors[i] = item.bucketNext;
        hasMore = true;
      }
    }
  }

  #pick(item: BatchItem): boolean {
    const rows = this.#pickedRows + Math.max(1, item.rows);
    if (rows > this.#options.maxRows && this.#picked.length > 0) {
      this.#isFull = true;
      return false;
    }
    this.#pickedRows = rows;
    this.#picked.push(item);
    if (rows >= this.#options.maxRows) this.#isFull = true;
    if (this.#preferred.has(rows)) this.#preferredCount = this.#picked.length;
    return true;
  }

  #commit(level: Level, count: number): BatchItem[] {
    const batch = this.#picked.slice(0, count);
    this.#picked.length = 0;
    if (level.queues.length > 1) passTurn(level, batch);
    for (let i = 0; i < batch.length; i++) this.remove(batch[i]!);
    return batch;
  }
}

/** The tenant queue whose turn it is: the first from `turn` on that has something waiting. */
function nextTurn(level: Level): number {
  let turn = level.turn % level.queues.length;
  while (level.queues[turn]!.size === 0) turn = (turn + 1) % level.queues.length;
  return turn;
}

/** The turn goes to the tenant after the one whose item was taken last. */
function passTurn(level: Level, batch: readonly BatchItem[]): void {
  for (let i = batch.length - 1; i >= 0; i--) {
    const { bucket, request } = batch[i]!;
    const queue = level.byTenant.get(request.tenant);
    // Items of lower priorities wait elsewhere, be it for the same tenant.
    if (queue === undefined || queue !== bucket!.queue) continue;
    level.turn = (level.queues.indexOf(queue) + 1) % level.queues.length;
    return;
  }
}

function longest(queues: readonly TenantQueue[]): TenantQueue {
  return queues.reduce((most, queue) => (queue.size > most.size ? queue : most));
}

function dropWhenEmpty(level: Level, tenant: string): void {
  const queue = level.byTenant.get(tenant)!;
  if (queue.size > 0) return;
  const index = level.queues.indexOf(queue);
  level.queues.splice(index, 1);
  level.byTenant.delete(tenant);
  if (index < level.turn) level.turn -= 1;
}

/**
 * What one tenant has waiting at one priority: every item hangs in two lists, one over all items in order of arrival and one
 * per shape.
 */
class TenantQueue {
  readonly buckets = new Map<ShapeKey, ShapeBucket>();
  #first: BatchItem | undefined = undefined;
  #last: BatchItem | undefined = undefined;
  #size = 0;

  get first(): BatchItem | undefined {
    return this.#first;
  }

  get last(): BatchItem | undefined {
    return this.#last;
  }

  get size(): number {
    return this.#size;
  }

  append(item: BatchItem): void {
    item.previous = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
    this.#size += 1;

    const bucket = this.#bucketFor(item.request.shapeKey);
    item.bucket = bucket;
    item.bucketPrevious = bucket.last;
    if (bucket.last === undefined) bucket.first = item;
    else bucket.last.bucketNext = item;
    bucket.last = item;
  }

  remove(item: BatchItem): void {
    if (item.previous === undefined) this.#first = item.next;
    else item.previous.next = item.next;
    if (item.next === undefined) this.#last = item.previous;
    else item.next.previous = item.previous;
    item.previous = undefined;
    item.next = undefined;
    this.#size -= 1;
    this.#removeFromBucket(item, item.bucket!);
  }

  #bucketFor(key: ShapeKey): ShapeBucket {
    let bucket = this.buckets.get(key);
    if (bucket === undefined) {
      bucket = { queue: this, key, first: undefined, last: undefined };
      this.buckets.set(key, bucket);
    }
    return bucket;
  }

  #removeFromBucket(item: BatchItem, bucket: ShapeBucket): void {
    if (item.bucketPrevious === undefined) bucket.first = item.bucketNext;
    else item.bucketPrevious.bucketNext = item.bucketNext;
    if (item.bucketNext === undefined) bucket.last = item.bucketPrevious;
    else item.bucketNext.bucketPrevious = item.bucketPrevious;
    item.bucketPrevious = undefined;
    item.bucketNext = undefined;
    item.bucket = undefined;
    if (bucket.first === undefined && this.buckets.size > KEPT_BUCKETS) this.buckets.delete(bucket.key);
  }
}
