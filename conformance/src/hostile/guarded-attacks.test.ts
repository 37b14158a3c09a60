// Tests the built server behind TLS and keys against what attacks.ts has for it; `npm run hostile -- --auth` goes through all of it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ATTACKS, GUARDED_ATTACKS } from "./attacks.ts";
import { startGuardedTarget } from "./guarded-target.ts";
import { HURT_ANYWHERE_MS, runAttacks, type Verdict } from "./run-attacks.ts";
import { asStrangers } from "./strangers.ts";

const SEED = 7;
const MAX_GROWN_MIB = 128;
/** Of many that are alike; those that take seconds are for the command. */
const SOME = 12;
const LONG = /never finished|byte by byte|slow clients/;

const some = <T>(all: readonly T[], every = SOME): T[] => all.filter((_, index) => index % every === 0);
const short = GUARDED_ATTACKS.filter(({ name }) => !LONG.test(name));
const insiders = [
  ...short.filter(({ group }) => group === "closed doors"),
  ...some(
    short.filter(({ group }) => group !== "closed doors"),
    2,
  ),
  // An assertion of Node's ended the server in one run of four.
  ...Array.from({ length: 3 }, () =>
    GUARDED_ATTACKS.filter(({ name }) => /^\d+ (keys|tokens), each/.test(name)),
  ).flat(),
  ...some(ATTACKS.filter(({ group }) => !/files|signals|slow clients|observers/.test(group))),
];
const strangers = some(
  asStrangers(ATTACKS).filter(({ group }) => !LONG.test(group) && group !== "observers"),
);

const { insider, stranger, stop } = await startGuardedTarget(SEED);
after(() => stop());

function missedOf(verdicts: readonly Verdict[]): string[] {
  return verdicts
    .filter(({ problem }) => problem !== "")
    .map(({ group, name, problem }) => `${group}: ${name}: ${problem}`);
}

test(`${insiders.length} attacks with a key for inference, on keys, tokens and TLS: what must hold holds`, async () => {
  const verdicts = await runAttacks(insider, insiders, { hurtMs: HURT_ANYWHERE_MS });
  assert.deepEqual(missedOf(verdicts), []);
  const grownMib = verdicts.at(-1)!.grownMib;
  assert.ok(grownMib <= MAX_GROWN_MIB, `${grownMib.toFixed(0)} MiB more than before`);
});

test(`${strangers.length} attacks without a key: rejected before anything is done, and no model hears of them`, async () => {
  assert.deepEqual(missedOf(await runAttacks(stranger, strangers, { hurtMs: HURT_ANYWHERE_MS })), []);
});
