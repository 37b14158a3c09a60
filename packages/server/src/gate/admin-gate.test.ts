import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdminGate } from "./admin-gate.ts";

const TOKEN = "correct horse battery".replaceAll(" ", "-");
const gate = createAdminGate({ isOn: true, token: TOKEN });

test("the right token passes, whatever the case of its scheme", () => {
  for (const header of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER  ${TOKEN}`]) gate.admit(header);
});

test("no token is unauthenticated", () => {
  for (const header of [undefined, "", "Bearer", "Bearer ", `Basic ${TOKEN}`, TOKEN, `Bearer ${TOKEN} x`]) {
    assert.throws(() => gate.admit(header), { code: "unauthenticated", reason: "missing_token" }, header);
  }
});

test("a wrong token is rejected: shorter, longer, other case", () => {
  for (const token of [TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.toUpperCase(), "x"]) {
    assert.throws(() => gate.admit(`Bearer ${token}`), { code: "permission_denied", reason: "wrong_token" });
  }
});

test("without control nobody passes, without a token nobody either", () => {
  const off = createAdminGate({ isOn: false, token: TOKEN });
  assert.throws(() => off.admit(`Bearer ${TOKEN}`), {
    code: "failed_precondition",
    reason: "model_control_off",
  });
  for (const token of [undefined, ""]) {
    const nobody = createAdminGate({ isOn: true, token });
    assert.throws(() => nobody.admit("Bearer undefined"), { code: "permission_denied" });
  }
});
