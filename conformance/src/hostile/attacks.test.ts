// Tests the built server against some attacks of each group of attacks.ts; `npm run hostile` goes through all of them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ATTACKS } from "./attacks.ts";
import { startDigitsTarget } from "./digits-target.ts";
import { HURT_ANYWHERE_MS, runAttacks } from "./run-attacks.ts";

const SEED = 7;
const MAX_GROWN_MIB = 128;
/** Of a group with many. */
const EVERY: Readonly<Record<string, number>> = {
  "long tokens": 4,
  "HTTP/2 floods": 2,
  bombs: 3,
  "slow clients": 4,
  pipelining: 3,
  "browser RPC": 4,
  "cut bodies": 10,
  "REST over HTTP/2": 6,
  WebSockets: 2,
};

const counts = new Map<string, number>();
/** Tested by themselves, or only with the command: they take long. */
const APART = ["files", "observers"];

const packed = ATTACKS.filter(({ group }) => {
  if (APART.includes(group)) return false;
  const index = counts.get(group) ?? 0;
  counts.set(group, index + 1);
  return index % (EVERY[group] ?? 1) === 0;
});

const { target, stop } = await startDigitsTarget(SEED);
after(() => stop());

test("every attack has a name of its own", () => {
  const names = ATTACKS.map(({ group, name }) => `${group}: ${name}`);
  assert.equal(new Set(names).size, names.length);
});

test(`${packed.length} attacks: what must hold holds, others are served, memory stays`, async () => {
  const verdicts = await runAttacks(target, packed, { hurtMs: HURT_ANYWHERE_MS });
  const missed = verdicts.filter(({ problem }) => problem !== "");
  assert.deepEqual(
    missed.map(({ group, name, problem }) => `${group}: ${name}: ${problem}`),
    [],
  );
  const grownMib = verdicts.at(-1)!.grownMib;
  assert.ok(grownMib <= MAX_GROWN_MIB, `${grownMib.toFixed(0)} MiB more than before`);
});
