import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileBatchPlan } from "./batch-plan.ts";
import { KIND, ROWS_SIGNATURE, rowsRequest } from "./fakes.kit.ts";
import { DeadlineHeap } from "./live-requests.ts";
import { completeQueueConfig } from "./queue-config.ts";
import { QueuedRequest } from "./queued-request.ts";

const PLAN = compileBatchPlan(ROWS_SIGNATURE, completeQueueConfig({}, ROWS_SIGNATURE, 1));

function requestExpiringAt(expiresMs: number): QueuedRequest {
  const request = rowsRequest([[1, KIND.fine]], { deadlineMs: expiresMs });
  const config = completeQueueConfig({}, ROWS_SIGNATURE, 1);
  const receiver = { resolve() {}, reject() {} };
  return new QueuedRequest(PLAN, config, { request, nowMs: 0, number: 0, receiver });
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
      const added: QueuedRequest[] = [];
      const inside = new Set<QueuedRequest>();
      for (const { kind, at } of list) {
        if (kind === "add") {
          const request = requestExpiringAt(at);
          heap.add(request);
          added.push(request);
          inside.add(request);
        } else {
          const request = added[at % Math.max(1, added.length)];
          if (request === undefined) continue;
          heap.remove(request);
          inside.delete(request);
        }
        assert.equal(heap.size, inside.size);
        const earliest = Math.min(...[...inside].map((request) => request.expiresMs));
        assert.equal(heap.peek()?.expiresMs ?? Number.POSITIVE_INFINITY, earliest);
      }
      const left: number[] = [];
      for (let request = heap.peek(); request !== undefined; request = heap.peek()) {
        left.push(request.expiresMs);
        heap.remove(request);
      }
      assert.deepEqual(
        left,
        [...inside].map((request) => request.expiresMs).sort((a, b) => a - b),
      );
    }),
    { numRuns: 500 },
  );
});
