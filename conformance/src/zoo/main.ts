// The model zoo from the command line: judges every model of a folder, prints a line each and the totals, writes the page.
// Arguments: the folder, and --page FILE to write docs/model-zoo.md.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Verdict } from "./judge-model.ts";
import { type ZooRow, zooPage, zooTotals } from "./zoo-page.ts";

const JUDGE = fileURLToPath(new URL("./judge-main.js", import.meta.url));
const LIMIT_MS = 180_000;

async function judge(folder: string, name: string): Promise<ZooRow> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [JUDGE, `${folder}/${name}`], {
      timeout: LIMIT_MS,
    });
    return JSON.parse(stdout) as ZooRow;
  } catch (error) {
    const verdict: Verdict = { kind: "error", reason: `the process ended: ${String(error).slice(-300)}` };
    return { name, family: "", exported: verdict, traced: verdict, scripted: verdict };
  }
}

function said(verdict: Verdict): string {
  if (verdict.kind === "pass")
    return `pass ${verdict.relativeError.toExponential(1)} (${verdict.sizes.join("; ")})`;
  return `${verdict.kind} ${verdict.kind === "refused" ? verdict.reasons.join("; ") : verdict.reason}`;
}

const [folder = "", ...rest] = process.argv.slice(2);
const pageAt = rest.indexOf("--page");
const page = pageAt < 0 ? undefined : rest[pageAt + 1];
const only = pageAt < 0 ? rest : rest.toSpliced(pageAt, 2);
const names = readdirSync(folder).filter((name) => existsSync(`${folder}/${name}/meta.json`));
const rows: ZooRow[] = [];
for (const name of names.filter((candidate) => only.length === 0 || only.includes(candidate)).sort()) {
  const row = await judge(folder, name);
  rows.push(row);
  console.log(
    `${name}\n    .pt2    ${said(row.exported)}\n    traced  ${said(row.traced)}\n    script  ${said(row.scripted)}`,
  );
}
const exported = zooTotals(rows.map((row) => row.exported));
const traced = zooTotals(rows.map((row) => row.traced));
const scripted = zooTotals(rows.map((row) => row.scripted));
console.log(
  `.pt2   ${JSON.stringify(exported)}\ntraced ${JSON.stringify(traced)}\nscript ${JSON.stringify(scripted)}`,
);
if (page !== undefined) {
  rows.sort((a, b) => a.family.localeCompare(b.family) || a.name.localeCompare(b.name));
  writeFileSync(page, zooPage(rows));
}
const faults = [exported, traced, scripted].map(({ wrong, error }) => wrong + error);
process.exitCode = faults.every((count) => count === 0) ? 0 : 1;
