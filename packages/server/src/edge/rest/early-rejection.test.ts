// Tests rest-edge.ts: requests rejected before their bodies are read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServeError } from "../../base/errors.ts";
import { createByteBudget } from "../../gate/byte-budget.ts";
import { identity, type MemoryModel, memoryInference } from "./memory-inference.kit.ts";
import { BODY, listen, post, raw, statusOf } from "./rest-sockets.kit.ts";

/** Has no room, whatever a request's body says. */
const FULL: MemoryModel = {
  inputs: [],
  outputs: [],
  run: () => assert.fail("it was asked all the same"),
  rejectEarly: () => new ServeError("unavailable", "no room", { reason: "queue_full", retryAfterMs: 1500 }),
};
const INFERENCE = memoryInference({ full: FULL, echo: identity("FP32") });
const roomy = await listen(INFERENCE);

test("a client that was rejected instead of told to go on does not have its next request taken for the body", async () => {
  const head = `POST /v2/models/full/infer HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n`;
  const answer = await raw(roomy.port, head, "GET /v2 HTTP/1.1\r\n");
  // Not `100`: its body is not asked for.
  assert.match(answer, /^HTTP\/1\.1 503 /);
  assert.match(answer, /Connection: close/);
});

test("a model without room rejects before it knows what for, and the connection goes on", async () => {
  for (const path of ["/v2/models/full/infer", "/predict/full"]) {
    const noJson = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{{{{{`;
    const answer = await raw(roomy.port, noJson, post("/v2/models/echo/infer", BODY));
    assert.match(answer, /^HTTP\/1\.1 503[\s\S]*"reason":"queue_full"[\s\S]*HTTP\/1\.1 200/);
    assert.match(answer, /Retry-After: 2\r\n/);
  }
});

test("who asks and until when is known before the body is read", async () => {
  const heads: unknown[] = [];
  const model: MemoryModel = {
    ...FULL,
    rejectEarly({ tenant, deadlineMs }) {
      heads.push([tenant, deadlineMs === undefined ? undefined : Math.round(deadlineMs - performance.now())]);
      return new ServeError("unavailable", "no room", { reason: "queue_full" });
    },
  };
  const { port } = await listen(memoryInference({ model }), { tenantHeader: "x-tenant" });
  const headers = "X-Tenant: acme\r\nX-Request-Timeout-Ms: 90000000\r\n";
  await raw(port, post("/v2/models/model/infer", BODY, headers));
  await raw(port, post("/predict/model", BODY));
  const [[tenant, leftMs], none] = heads as [[string, number], unknown];
  assert.equal(tenant, "acme");
  assert.ok(leftMs > 89_000_000 && leftMs <= 90_000_000);
  assert.deepEqual(none, [undefined, undefined]);
});

test("a large body for a model without room is neither read nor paid for", async () => {
  const tight = await listen(INFERENCE, { budget: createByteBudget({ maxBytes: 200, maxRequests: 10 }) });
  const head = "POST /v2/models/full/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
  const answer = await raw(tight.port, head);
  assert.equal(statusOf(answer), 503);
  assert.match(answer, /"reason":"queue_full"/);
  assert.match(answer, /Connection: close/);
  // What is too large stays too large: there is no point in trying again later.
  const huge = "POST /v2/models/full/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
  assert.equal(statusOf(await raw(tight.port, huge)), 413);
});
