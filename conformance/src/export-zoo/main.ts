// The export zoo from the command line: has `sconce export` export every model of a folder, prints a line each and the totals, writes the page.
// Arguments: the folder, the interpreter, names of models (default: all), and --page FILE.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exportPage } from "./export-page.ts";
import { type ExportVerdict, type PrintedExport, verdictOf } from "./export-verdict.ts";

const BIN = fileURLToPath(new URL("../../../packages/server/bin/sconce.js", import.meta.url));
const LIMIT_MS = 600_000;
const AT_ONCE = 2;

const [folder = "", python = "", ...rest] = process.argv.slice(2);
const pageAt = rest.indexOf("--page");
const page = pageAt < 0 ? undefined : rest[pageAt + 1];
const only = pageAt < 0 ? rest : rest.toSpliced(pageAt, 2);
const names = readdirSync(folder).filter((name) => only.length === 0 || only.includes(name));
const outputs = mkdtempSync(join(tmpdir(), "sconce-export-zoo-"));

function exported(name: string): Promise<ExportVerdict> {
  const output = join(outputs, `${name}.pt2`);
  const args = [BIN, "export", join(folder, name), "-o", output, "--python", python, "--json"];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: LIMIT_MS }, (error, stdout, stderr) => {
      rmSync(output, { force: true });
      if (stdout !== "") resolve(verdictOf(JSON.parse(stdout) as PrintedExport));
      else if (error?.killed)
        resolve({ kind: "refused", why: `nothing within ${LIMIT_MS / 60_000} minutes` });
      else {
        const why = stderr.trim().replace(/^sconce export: /, "");
        resolve({ kind: "refused", why: why === "" ? String(error) : why });
      }
    });
  });
}

const verdicts = new Map<string, ExportVerdict>();
const waiting = [...names];
async function work(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const verdict = await exported(name);
    verdicts.set(name, verdict);
    console.log(`${name}: ${JSON.stringify(verdict)}`);
  }
}
try {
  await Promise.all(Array.from({ length: AT_ONCE }, work));
} finally {
  rmSync(outputs, { recursive: true, force: true });
}
const rows = names.map((name) => ({ name, verdict: verdicts.get(name)! }));
const count = (kind: ExportVerdict["kind"]): number =>
  rows.filter(({ verdict }) => verdict.kind === kind).length;
console.log(
  `${rows.length} models: ${count("equal")} run without Python and answer as the code does, ${count("different")} answer otherwise, ${count("blocked")} need Python, ${count("refused")} cannot be exported`,
);
if (page !== undefined) writeFileSync(page, exportPage(rows));
process.exitCode = count("different") === 0 ? 0 : 1;
