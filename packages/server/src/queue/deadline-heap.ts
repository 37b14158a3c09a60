import type { Job } from "./job.ts";

/**
 * The requests that expire, earliest first: a binary heap that knows where each request stands, so that a request that ends early
 * leaves at once. A later deadline than all others (the usual case) is added without moving anything.
 */
export class DeadlineHeap {
  readonly #heap: Job[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The next request to expire. */
  peek(): Job | undefined {
    return this.#heap[0];
  }

  add(job: Job): void {
    this.#heap.push(job);
    this.#rise(job, this.#heap.length - 1);
  }

  /** Does nothing when the request is not in the heap. */
  remove(job: Job): void {
    const index = job.heapIndex;
    if (index < 0) return;
    job.heapIndex = -1;
    const last = this.#heap.pop()!;
    if (last === job) return;
    this.#rise(last, index);
    if (last.heapIndex === index) this.#sink(last, index);
  }

  #rise(job: Job, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex]!;
      if (parent.expiresMs <= job.expiresMs) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(job, index);
  }

  #sink(job: Job, from: number): void {
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= this.#heap.length) break;
      const right = this.#heap[childIndex + 1];
      if (right !== undefined && right.expiresMs < this.#heap[childIndex]!.expiresMs) childIndex += 1;
      const child = this.#heap[childIndex]!;
      if (child.expiresMs >= job.expiresMs) break;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(job, index);
  }

  #place(job: Job, index: number): void {
    this.#heap[index] = job;
    job.heapIndex = index;
  }
}
