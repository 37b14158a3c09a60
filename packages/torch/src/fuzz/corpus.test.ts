// Tests all readers of this package: what fuzzing found, and fresh mutations.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { judgeInput } from "./judge.kit.ts";
import { mutateBytes, mutateJson, mutateText, seededRandom } from "./mutate.kit.ts";
import { FUZZ_TARGETS, type FuzzTarget } from "./targets.kit.ts";

const corpus = fileURLToPath(new URL("../../corpus", import.meta.url));
const MUTATORS = { bytes: mutateBytes, json: mutateJson, text: mutateText };
/** Fresh mutations per target; `npm run fuzz` runs as many as there is time for. */
const FRESH = 150;

function inputsOf(name: string, target: FuzzTarget): Uint8Array[] {
  const folder = join(corpus, name);
  const kept = existsSync(folder) ? readdirSync(folder).map((file) => readFileSync(join(folder, file))) : [];
  return [...target.seeds(), ...kept];
}

for (const [name, target] of Object.entries(FUZZ_TARGETS)) {
  test(`${name}: what fuzzing found gives an answer or a typed error, in time and in memory`, () => {
    const inputs = inputsOf(name, target);
    assert.ok(inputs.length > 0);
    for (const bytes of inputs) assert.equal(judgeInput(target, bytes), undefined);
  });

  test(`${name}: so do fresh mutations`, () => {
    const inputs = inputsOf(name, target);
    const random = seededRandom(20);
    for (let i = 0; i < FRESH; i += 1) {
      const [parent, other] = [inputs[random(inputs.length)]!, inputs[random(inputs.length)]!];
      assert.equal(judgeInput(target, MUTATORS[target.kind](parent, other, random)), undefined);
    }
  });
}
