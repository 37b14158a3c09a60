// Tests error-reasons.ts of @sconce/protocol: the product, as it is published, gives every reason.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ERROR_CODES, REASON_GROUPS } from "@sconce/protocol";

/** Where the product is; the table of reasons itself is not a use of them. */
const FOLDERS = ["server/dist", "server/python", "protocol/dist"].map((name) =>
  fileURLToPath(new URL(`../../../${name}/`, import.meta.url)),
);
const USE = /\.(js|py)$/;
const NO_USE = /\.test\.|\.kit\.|(^|\/)gen\/|error-reasons\.js$/;

const product = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => USE.test(name) && !NO_USE.test(name))
    .map((name) => readFileSync(join(folder, name), "utf8")),
).join("\n");

function isGiven(reason: string): boolean {
  return product.includes(`"${reason}"`);
}

/** `[code, reason, help]` of the whole table. */
const rows = REASON_GROUPS.flatMap(({ reasons }) =>
  Object.entries(reasons).flatMap(([code, byReason]) =>
    Object.entries(byReason).map(([reason, help]) => [code, reason, help] as const),
  ),
);

test("the server gives every reason that the table lists", () => {
  assert.ok(rows.length > 70, `only ${rows.length} rows`);
  assert.ok(!isGiven("a_reason_that_does_not_exist"), "the search finds anything");
  assert.deepEqual(
    rows.map(([, reason]) => reason).filter((reason) => !isGiven(reason)),
    [],
  );
});

test("the table lists a reason once per code, under codes that exist, and says what to do", () => {
  const keys = rows.map(([code, reason]) => `${reason} ${code}`);
  assert.deepEqual(
    keys.filter((key, at) => keys.indexOf(key) !== at),
    [],
  );
  for (const [code, reason, help] of rows) {
    assert.ok((ERROR_CODES as readonly string[]).includes(code), `${reason}: there is no code ${code}`);
    assert.match(reason, /^[a-z]+(_[a-z0-9]+)*$/);
    assert.match(help, /^[^|]{20,}\.$/, `${reason}: the help is a sentence without a |`);
  }
});
