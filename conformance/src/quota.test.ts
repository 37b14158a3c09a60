// Tests the built server: quotas per tenant.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const body = JSON.stringify({ input: nestedImage(expectedDigits().digits[0]!) });

const TOKEN = "the-administrators-token";

describe("quotas per tenant", () => {
  let server: ServerProcess;
  before(async () => {
    const quota = ["--tenant-header", "x-tenant", "--tenant-quota", "0.01", "--tenant-quota-burst", "3"];
    server = await startServerProcess([MODELS_FOLDER, ...quota], { env: { SCONCE_ADMIN_TOKEN: TOKEN } });
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

  test("the administrator sees what each asked; nobody else does", async () => {
    assert.equal((await fetch(`${server.url}/v2/tenants`)).status, 401);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const response = await fetch(`${server.url}/v2/tenants`, { headers });
    const { tenants } = (await response.json()) as { tenants: { tenant: string; requests: number }[] };
    const shown = tenants.filter(({ tenant }) => tenant === "a" || tenant === "b");
    const rate = { per_second: 0.01, burst: 3 };
    assert.deepEqual(shown, [
      { tenant: "a", requests: 4, rejected: 1, rate, available: 0 },
      { tenant: "b", requests: 1, rejected: 0, rate, available: 2 },
    ]);
  });
});
