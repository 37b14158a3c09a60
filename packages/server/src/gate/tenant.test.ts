import assert from "node:assert/strict";
import { test } from "node:test";
import { checkTenant, tenantHeaderName } from "./tenant.ts";

test("a tenant's header has a name that HTTP and gRPC both can carry", () => {
  assert.equal(tenantHeaderName("X-Tenant"), "x-tenant");
  for (const bad of ["", "x tenant", "x:tenant", "-x", "key-bin", "ä", "x".repeat(65)]) {
    assert.throws(() => tenantHeaderName(bad), { code: "invalid_argument" }, bad);
  }
});

test("a tenant has at most 256 characters", () => {
  assert.equal(checkTenant(undefined), undefined);
  for (const length of [0, 1, 255, 256]) assert.equal(checkTenant("t".repeat(length))?.length, length);
  assert.throws(() => checkTenant("t".repeat(257)), { code: "invalid_argument", reason: "tenant_too_long" });
});
