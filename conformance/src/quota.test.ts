// Tests the built server: quotas per tenant.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const body = JSON.stringify({ input: nestedImage(expectedDigits().digits[0]!) });

describe("quotas per tenant", () => {
  let server: ServerProcess;
  before(async () => {
    const quota = ["--tenant-header", "x-tenant", "--tenant-quota", "0.01", "--tenant-quota-burst", "3"];
    server = await startServerProcess([MODELS_FOLDER, ...quota]);
  });
  after(() => server?.stop());

  const ask = (tenant: string): Promise<Response> =>
    fetch(`${server.url}/predict/digits`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-tenant": tenant },
      body,
    });

  test("a tenant's burst is answered, the next request is a 429 that says when to come back; others are unhurt", async () => {
    for (let i = 0; i < 3; i++) assert.equal((await ask("a")).status, 200);
    const refused = await ask("a");
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get("retry-after")) >= 1);
    assert.equal(((await refused.json()) as { reason: string }).reason, "quota_exceeded");
    assert.equal((await ask("b")).status, 200);
  });
});
