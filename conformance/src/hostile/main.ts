import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Attack, Target } from "./attack.ts";
import { ATTACKS, GUARDED_ATTACKS } from "./attacks.ts";
import { startDigitsTarget } from "./digits-target.ts";
import { startGuardedTarget } from "./guarded-target.ts";
import { residentMib, runAttacks, type Verdict } from "./run-attacks.ts";
import { asStrangers } from "./strangers.ts";
import { askTestssl } from "./testssl.ts";

const USAGE = `usage: npm run hostile -- [WORD …] [--auth] [--seed 1] [--times 1] [--json hostile.json] [--list]
       npm run hostile -- --testssl

Attacks the built server in every way that is listed, and prints what must hold beside what did.
  WORD     only attacks whose group or name holds it
  --auth   a server with TLS and API keys: by somebody with a key for inference, then without one,
           and attacks on keys, tokens and TLS themselves
  --testssl  asks testssl.sh about the port of such a server, which takes minutes
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
    auth: { type: "boolean", default: false },
    testssl: { type: "boolean", default: false },
  },
});
const words = positionals.map((word) => word.toLowerCase());
const isChosen = ({ group, name }: Attack): boolean =>
  words.length === 0 || words.some((word) => `${group} ${name}`.toLowerCase().includes(word));
const insiders = (values.auth ? [...ATTACKS, ...GUARDED_ATTACKS] : ATTACKS).filter(isChosen);
const strangers = values.auth ? asStrangers(ATTACKS).filter(isChosen) : [];
const chosen = [...insiders, ...strangers];
const [seed, times] = [Number(values.seed), Number(values.times)];
if (chosen.length === 0 || !Number.isSafeInteger(seed) || !(times >= 1)) {
  process.stderr.write(USAGE);
  process.exit(2);
}
if (values.list) {
  const lines = chosen.map(({ group, name, holds }) => `${group.padEnd(14)} ${name.padEnd(58)} ${holds}\n`);
  // A pipe takes what it takes; the rest must be waited for.
  await new Promise((resolve) => process.stdout.write(lines.join(""), resolve));
  process.exit(0);
}

if (values.testssl) process.exit(await gradeTls());

const { rounds, stop } = values.auth ? await guarded() : await unguarded();
const verdicts: Verdict[] = [];
const baseMib = residentMib(rounds[0]![0].pid);
try {
  for (let time = 0; time < times; time++)
    for (const [target, attacks] of rounds)
      verdicts.push(...(await runAttacks(target, attacks, { onVerdict: print, baseMib })));
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

/** The exit code. */
async function gradeTls(): Promise<number> {
  const packages = new URL("../../../scripts/system-packages.mjs", import.meta.url);
  const { systemProgram } = (await import(packages.href)) as {
    systemProgram(name: string): Promise<{ readonly path?: string; readonly skip?: string }>;
  };
  const { path, skip } = await systemProgram("testssl");
  if (path === undefined) {
    process.stdout.write(`${skip}\n`);
    return 2;
  }
  const { insider, stop } = await startGuardedTarget(seed);
  try {
    const findings = await askTestssl(path, insider);
    for (const { id, severity, finding } of findings)
      process.stdout.write(`MISS  ${severity} ${id}: ${finding}\n`);
    process.stdout.write(`${findings.length} findings below the best grade that nobody has explained\n`);
    return findings.length === 0 ? 0 : 1;
  } finally {
    await stop();
  }
}

interface Battle {
  readonly rounds: ReadonlyArray<readonly [Target, readonly Attack[]]>;
  stop(): Promise<{ readonly code: number | null }>;
}

async function unguarded(): Promise<Battle> {
  const { target, stop } = await startDigitsTarget(seed);
  return { rounds: [[target, insiders]], stop };
}

async function guarded(): Promise<Battle> {
  const { insider, stranger, stop } = await startGuardedTarget(seed);
  return {
    rounds: [
      [insider, insiders],
      [stranger, strangers],
    ],
    stop,
  };
}

function print({ group, name, problem, elapsedMs, worstMs, grownMib }: Verdict): void {
  const figures = `${(elapsedMs / 1000).toFixed(1).padStart(5)} s  waited ${String(Math.round(worstMs)).padStart(5)} ms  ${grownMib.toFixed(0).padStart(4)} MiB`;
  process.stdout.write(
    `${problem === "" ? "ok  " : "MISS"}  ${group.padEnd(14)} ${name.padEnd(58)} ${figures}  ${problem}\n`,
  );
}
