import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { canPin } from "./pinned-process.ts";
import type { Finding } from "./procedure.ts";
import { PROCEDURES } from "./procedures.ts";
import { runProcedure } from "./rig.ts";

const USAGE = `usage: npm run chaos -- F5 [F7 … | all] [--minutes 1] [--seed 1] [--json chaos.json] [--short]

Runs faults and overload against the real server, and prints what it should do beside what it did.
  --minutes  how long each procedure's load may last; default: 1, for F23 60
  --seed     repeats arrivals, victims and poison
  --json     where the findings are written as well
  --short    the form that npm test runs
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string" },
    seed: { type: "string", default: "1" },
    json: { type: "string" },
    short: { type: "boolean", default: false },
  },
});
const chosen = PROCEDURES.filter(({ id }) => positionals.includes("all") || positionals.includes(id));
const seed = Number(values.seed);
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
if (chosen.length === 0 || (minutes !== undefined && !(minutes > 0)) || !Number.isSafeInteger(seed)) {
  process.stderr.write(USAGE);
  process.exit(2);
}

const report: { id: string; title: string; findings: readonly Finding[] }[] = [];
for (const procedure of chosen) {
  process.stdout.write(`\n${procedure.id} ${procedure.title} (seed ${seed})\n`);
  const findings = await runProcedure(procedure, {
    seed,
    isShort: values.short,
    budgetMs: (minutes ?? procedure.minutes ?? 1) * 60_000,
    isPinned: true,
  });
  process.stdout.write(tableOf(findings));
  report.push({ id: procedure.id, title: procedure.title, findings });
}

const machine = { cores: cpus().length, load: loadavg(), isPinned: canPin(), node: process.version };
process.stdout.write(`\n${machine.cores} cores, load ${machine.load.map((l) => l.toFixed(1)).join(" ")}\n`);
if (values.json !== undefined) {
  writeFileSync(values.json, JSON.stringify({ seed, minutes, machine, report }, undefined, 2));
}
process.exitCode = report.some(({ findings }) => findings.some((finding) => !finding.isMet)) ? 1 : 0;

function tableOf(findings: readonly Finding[]): string {
  const widths = [
    Math.max(...findings.map(({ what }) => what.length)),
    Math.max(...findings.map(({ target }) => target.length)),
  ] as const;
  return findings
    .map(({ what, target, measured, isMet }) => {
      const columns = `${what.padEnd(widths[0])}  ${target.padStart(widths[1])}`;
      return `  ${isMet ? "ok  " : "MISS"}  ${columns}  ${measured}\n`;
    })
    .join("");
}
