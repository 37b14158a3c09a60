import assert from "node:assert/strict";
import { test } from "node:test";
import { checkModelName, checkModelVersion } from "./model-name.ts";
import { requestId } from "./request-id.ts";

test("model names: 128 plain characters pass, 129 do not, nor anything that could be a path", () => {
  for (const name of ["a", "Digits-2.1_b", "x".repeat(128)]) checkModelName(name);
  for (const name of [
    "",
    "x".repeat(129),
    ".",
    "..",
    ".a",
    "-a",
    "a/b",
    "a\\b",
    "a..b",
    "a\0",
    "a b",
    "é",
    "a\n",
    "%2e",
  ]) {
    assert.throws(() => checkModelName(name), { code: "not_found" }, JSON.stringify(name));
  }
});

test("no version and an empty one leave the choice to the policy", () => {
  assert.equal(checkModelVersion(undefined), undefined);
  assert.equal(checkModelVersion(""), undefined);
  assert.equal(checkModelVersion("3"), "3");
  assert.throws(() => checkModelVersion("../3"), { code: "not_found" });
});

test("a client's request id is kept when it is plain and at most 128 long", () => {
  const make = (): string => "made";
  assert.equal(requestId("a".repeat(128), make), "a".repeat(128));
  for (const id of [undefined, "", "a".repeat(129), "a b", "a\r\nSet-Cookie: x", "<b>"]) {
    assert.equal(requestId(id, make), "made");
  }
});
