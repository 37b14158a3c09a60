import assert from "node:assert/strict";
import { test } from "node:test";
import { createApiKeys, makeKey } from "./api-keys.ts";
import { callerFor, createAuthenticator, expired, invalid, type TokenVerifier } from "./authenticator.ts";
import { type Caller, STRANGER } from "./caller.ts";

const WISHES = { name: "ci", models: ["*"], scopes: ["infer"], created: "" } as const;
const ci = makeKey(WISHES);
const gone = makeKey({ ...WISHES, name: "gone", expires: "2026-01-01T00:00:00Z" });
const alice: Caller = { ...STRANGER, name: "token of alice", tenant: "jwt:alice" };

function rig(options: { readonly verifyToken?: TokenVerifier; readonly adminToken?: string } = {}) {
  const now = { ms: Date.UTC(2026, 0, 1) - 1000 };
  const refused: string[] = [];
  const authenticator = createAuthenticator({
    keys: createApiKeys([ci.record, gone.record]),
    wallNowMs: () => now.ms,
    onRefused: (reason) => refused.push(reason),
    ...options,
  });
  return { authenticator, now, refused };
}

test("a key says whose it is; what is none is refused and counted", () => {
  const { authenticator, refused } = rig();
  for (let i = 0; i < 2; i++)
    assert.equal((authenticator.identify(`Bearer ${ci.key}`) as Caller).name, "key ci");
  for (const [header, reason] of [
    [undefined, "missing_token"],
    ["", "missing_token"],
    [`Basic ${ci.key}`, "missing_token"],
    [`Bearer ${ci.key}x`, "invalid_token"],
    ["Bearer a.b.c", "invalid_token"],
    [`Bearer ${"a".repeat(9000)}`, "missing_token"],
  ] as const) {
    assert.throws(() => authenticator.identify(header), { code: "unauthenticated", reason });
  }
  assert.equal(refused.length, 6);
});

test("a key that expires while it is known stops at once", () => {
  const { authenticator, now } = rig();
  const header = `Bearer ${gone.key}`;
  assert.equal((authenticator.identify(header) as Caller).name, "key gone");
  now.ms += 1000;
  assert.throws(() => authenticator.identify(header), { reason: "token_expired" });
});

test("a key that is removed stops at once, and its rate with it", () => {
  const { authenticator } = rig();
  const header = `Bearer ${ci.key}`;
  authenticator.identify(header);
  authenticator.replaceKeys(createApiKeys([{ ...gone.record, rate: "5/s" }]));
  assert.throws(() => authenticator.identify(header), { reason: "invalid_token" });
  assert.equal(authenticator.rateOf("key:gone")?.perSecond, 5);
  authenticator.replaceKeys(createApiKeys([ci.record]));
  assert.equal((authenticator.identify(header) as Caller).name, "key ci");
  assert.equal(authenticator.rateOf("key:gone"), undefined);
});

test("a token is verified once, until it expires or keys change", async () => {
  let verified = 0;
  const { authenticator, now } = rig({
    async verifyToken(token) {
      verified++;
      if (token === "old") throw expired();
      if (token !== "right") throw invalid();
      return { ...alice, expiresAtMs: Date.UTC(2026, 0, 1) + 1000 };
    },
  });
  const ask = async () => (await authenticator.identify("Bearer right")).name;
  const both = await Promise.all([ask(), ask()]);
  assert.deepEqual(both, [alice.name, alice.name]);
  assert.equal((authenticator.identify("Bearer right") as Caller).name, alice.name, "without a promise");
  assert.equal(verified, 1);
  now.ms += 2000;
  await ask();
  assert.equal(verified, 2, "its time is over: it is judged anew");
  authenticator.forget();
  await ask();
  assert.equal(verified, 3);
  await assert.rejects(async () => authenticator.identify("Bearer old"), { reason: "token_expired" });
  await assert.rejects(async () => authenticator.identify("Bearer wrong"), { reason: "invalid_token" });
  await assert.rejects(async () => authenticator.identify("Bearer wrong"), { reason: "invalid_token" });
  assert.equal(verified, 6, "what is wrong is not remembered");
});

test("what was found out before keys changed is not believed after it", async () => {
  let finish = (): void => {};
  let verified = 0;
  const { authenticator } = rig({
    verifyToken: () =>
      new Promise((resolve) => {
        verified++;
        finish = () => resolve({ ...alice, expiresAtMs: Number.POSITIVE_INFINITY });
      }),
  });
  const asked = authenticator.identify("Bearer right");
  authenticator.forget();
  finish();
  await asked;
  const again = authenticator.identify("Bearer right");
  assert.ok(again instanceof Promise);
  finish();
  await again;
  assert.equal(verified, 2);
});

test("no more than 256 tokens are verified at a time, and guesses push nobody out", async () => {
  const waiting: (() => void)[] = [];
  const { authenticator } = rig({
    verifyToken: () => new Promise((_resolve, reject) => waiting.push(() => reject(invalid()))),
  });
  authenticator.identify(`Bearer ${ci.key}`);
  const guesses = Array.from({ length: 256 }, (_, i) => authenticator.identify(`Bearer guess${i}`));
  assert.throws(() => authenticator.identify("Bearer one-more"), {
    code: "unavailable",
    reason: "verification_busy",
  });
  assert.equal((authenticator.identify(`Bearer ${ci.key}`) as Caller).name, "key ci");
  for (const end of waiting) end();
  await Promise.allSettled(guesses);
  const one = authenticator.identify("Bearer one-more");
  waiting.at(-1)!();
  await assert.rejects(async () => one, { reason: "invalid_token" });
});

test("what is remembered has a limit", async () => {
  let verified = 0;
  const { authenticator } = rig({
    async verifyToken() {
      verified++;
      return { ...alice, expiresAtMs: Number.POSITIVE_INFINITY };
    },
  });
  const long = (i: number): string => `Bearer ${String(i).padEnd(8000, "x")}`;
  for (let i = 0; i < 600; i++) await authenticator.identify(long(i));
  assert.equal(verified, 600);
  await authenticator.identify(long(599));
  assert.equal(verified, 600);
  await authenticator.identify(long(0));
  assert.equal(verified, 601, "the oldest gave way");
});

test("the administrator's token is a key with every right", () => {
  const { authenticator } = rig({ adminToken: "correct-horse-battery" });
  const caller = authenticator.identify("Bearer correct-horse-battery") as Caller;
  assert.deepEqual([...caller.scopes], ["infer", "metrics", "admin"]);
  assert.throws(() => authenticator.identify("Bearer correct-horse-batterz"), { reason: "invalid_token" });
});

test("what needs nothing is for strangers, whatever is wrong with their keys", async () => {
  const { authenticator } = rig({ verifyToken: async () => Promise.reject(invalid()) });
  for (const header of [undefined, "Bearer sconce_x", "Bearer a.b.c"]) {
    assert.equal(await callerFor(authenticator, header, "nothing"), STRANGER);
  }
  assert.equal((callerFor(authenticator, `Bearer ${ci.key}`, "nothing") as Caller).name, "key ci");
  assert.throws(() => callerFor(authenticator, undefined, "infer"));
});
