import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DeadlineHeap } from "./deadline-heap.ts";
import { KIND, rowsRequest } from "./fakes.kit.ts";
import { Job } from "./job.ts";

function jobExpiringAt(expiresMs: number): Job {
  const request = rowsRequest([[1, KIND.fine]]);
  const job = new Job({
    request,
    inputs: request.inputs,
    rows: 1,
    bytes: 8,
    tenant: "",
    level: 0,
    shapeKey: 0,
    wanted: undefined,
  });
  job.expiresMs = expiresMs;
  return job;
}

test("the next to expire comes first, whatever was added and removed before", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("add" as const), at: fc.nat({ max: 20 }) }),
      fc.record({ kind: fc.constant("remove" as const), at: fc.nat({ max: 40 }) }),
    ),
    { maxLength: 80 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const heap = new DeadlineHeap();
      const added: Job[] = [];
      const inside = new Set<Job>();
      for (const { kind, at } of list) {
        if (kind === "add") {
          const job = jobExpiringAt(at);
          heap.add(job);
          added.push(job);
          inside.add(job);
        } else {
          const job = added[at % Math.max(1, added.length)];
          if (job === undefined) continue;
          heap.remove(job);
          inside.delete(job);
        }
        assert.equal(heap.size, inside.size);
        const earliest = Math.min(...[...inside].map((job) => job.expiresMs));
        assert.equal(heap.peek()?.expiresMs ?? Number.POSITIVE_INFINITY, earliest);
      }
      const left: number[] = [];
      for (let job = heap.peek(); job !== undefined; job = heap.peek()) {
        left.push(job.expiresMs);
        heap.remove(job);
      }
      assert.deepEqual(
        left,
        [...inside].map((job) => job.expiresMs).sort((a, b) => a - b),
      );
    }),
    { numRuns: 500 },
  );
});
