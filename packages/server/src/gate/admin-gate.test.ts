import assert from "node:assert/strict";
import { test } from "node:test";
import { type Credentials, createAdminGate } from "./admin-gate.ts";
import { STRANGER } from "./caller.ts";

const TOKEN = "correct horse battery".replaceAll(" ", "-");
const gate = createAdminGate({ isOn: true, token: TOKEN });
const by = (authorization: string | undefined): Credentials => ({ authorization, caller: undefined });

test("the right token passes, whatever the case of its scheme", () => {
  for (const header of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER  ${TOKEN}`]) gate.admit(by(header));
});

test("no token is unauthenticated", () => {
  for (const header of [undefined, "", "Bearer", "Bearer ", `Basic ${TOKEN}`, TOKEN, `Bearer ${TOKEN} x`]) {
    assert.throws(() => gate.admit(by(header)), { code: "unauthenticated", reason: "missing_token" }, header);
  }
});

test("a wrong token is rejected: shorter, longer, other case", () => {
  for (const token of [TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.toUpperCase(), "x"]) {
    assert.throws(() => gate.admit(by(`Bearer ${token}`)), {
      code: "permission_denied",
      reason: "wrong_token",
    });
  }
});

test("without control nobody passes, without a token nobody either", () => {
  const off = createAdminGate({ isOn: false, token: TOKEN });
  assert.throws(() => off.admit(by(`Bearer ${TOKEN}`)), {
    code: "failed_precondition",
    reason: "model_control_off",
  });
  for (const token of [undefined, ""]) {
    const nobody = createAdminGate({ isOn: true, token });
    assert.throws(() => nobody.admit(by("Bearer undefined")), { code: "permission_denied" });
  }
});

test("where there are callers their scope counts, and a token none", () => {
  const credentials = { authorization: `Bearer ${TOKEN}`, caller: STRANGER };
  assert.throws(() => gate.admit(credentials), { code: "permission_denied", reason: "missing_scope" });
  const caller = { ...STRANGER, name: "key ops", scopes: new Set(["admin"] as const) };
  assert.equal(gate.admit({ authorization: undefined, caller }), "key ops");
});
