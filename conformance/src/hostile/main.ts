import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ATTACKS } from "./attacks.ts";
import { startDigitsTarget } from "./digits-target.ts";
import { runAttacks, type Verdict } from "./run-attacks.ts";

const USAGE = `usage: npm run hostile -- [WORD …] [--seed 1] [--times 1] [--json hostile.json] [--list]

Attacks the built server in every way that is listed, and prints what must hold beside what did.
  WORD     only attacks whose group or name holds it
  --seed   repeats what is drawn
  --times  goes through the list so often
  --json   where the verdicts are written as well
  --list   prints the table without attacking anybody
`;
/** Resident memory that the server may have more in the end than before. */
const MAX_GROWN_MIB = 128;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "1" },
    times: { type: "string", default: "1" },
    json: { type: "string" },
    list: { type: "boolean", default: false },
  },
});
const words = positionals.map((word) => word.toLowerCase());
const chosen = ATTACKS.filter(
  ({ group, name }) =>
    words.length === 0 || words.some((word) => `${group} ${name}`.toLowerCase().includes(word)),
);
const [seed, times] = [Number(values.seed), Number(values.times)];
if (chosen.length === 0 || !Number.isSafeInteger(seed) || !(times >= 1)) {
  process.stderr.write(USAGE);
  process.exit(2);
}
if (values.list) {
  for (const { group, name, holds } of chosen)
    process.stdout.write(`${group.padEnd(14)} ${name.padEnd(58)} ${holds}\n`);
  process.exit(0);
}

const { target, stop } = await startDigitsTarget(seed);
const verdicts: Verdict[] = [];
try {
  for (let time = 0; time < times; time++) verdicts.push(...(await runAttacks(target, chosen, print)));
} finally {
  const { code } = await stop();
  if (code !== 0) process.stdout.write(`MISS  the server ended with ${code} after SIGTERM\n`);
}
const missed = verdicts.filter(({ problem }) => problem !== "");
const grownMib = verdicts.at(-1)!.grownMib;
process.stdout.write(
  `\n${verdicts.length} attacks with seed ${seed}, ${missed.length} did not hold; longest wait of others ${Math.round(Math.max(...verdicts.map(({ worstMs }) => worstMs)))} ms; memory ${Math.round(grownMib)} MiB above the base\n`,
);
if (values.json !== undefined)
  writeFileSync(values.json, JSON.stringify({ seed, times, verdicts }, undefined, 2));
process.exitCode = missed.length > 0 || grownMib > MAX_GROWN_MIB ? 1 : 0;

function print({ group, name, problem, elapsedMs, worstMs, grownMib }: Verdict): void {
  const figures = `${(elapsedMs / 1000).toFixed(1).padStart(5)} s  waited ${String(Math.round(worstMs)).padStart(5)} ms  ${grownMib.toFixed(0).padStart(4)} MiB`;
  process.stdout.write(
    `${problem === "" ? "ok  " : "MISS"}  ${group.padEnd(14)} ${name.padEnd(58)} ${figures}  ${problem}\n`,
  );
}
