import assert from "node:assert/strict";
import { test } from "node:test";
import { schemaOf } from "../aten/schemas.ts";
import { LOWERINGS } from "./table.ts";

test("every aten entry of the table has a schema, so that its defaults and aliases are known", () => {
  const unknown = Object.keys(LOWERINGS).filter(
    (target) => target.startsWith("aten.") && schemaOf(target) === undefined,
  );
  assert.deepEqual(unknown, []);
});

test("no entry is an in-place op: those are made functional before", () => {
  const inPlace = Object.keys(LOWERINGS).filter((target) =>
    schemaOf(target)?.params.some((param) => param.isMutated),
  );
  assert.deepEqual(inPlace, []);
});
