import type { ComparedFile } from "../migrate/planned-files.ts";
import type { Capacity } from "./capacity.ts";
import type { FinalVerdict } from "./final-rounds.ts";
import { keyOf, middle, type Tried } from "./search.ts";
import { settingsText } from "./settings-space.ts";
import { sloText } from "./slo.ts";
import type { TuneReport } from "./tune-report.ts";

/** Rows of the table; what comes behind is counted. */
const MOST_ROWS = 15;

/** The report for people. */
export function tuneText(report: TuneReport): string {
  const { model, goals, rate, cores, tried, runs, windows, isCut, noise, seconds } = report;
  const wish = rate === undefined ? "most requests per second" : `lowest latency at ${rate} requests/s`;
  const left = tried.length - MOST_ROWS;
  return [
    `${model}: ${wish} with ${sloText(goals)}, on ${cores} processors`,
    `${tried.length} settings in ${runs} runs, ${windows} windows of load, ${seconds.toFixed(0)} s${isCut ? "; the budget ended the search" : ""}; runs of the same settings differ by ${percent(noise)}`,
    "",
    ...table(report),
    ...(left > 0 ? [`and ${left} more, which --json lists`] : []),
    ...errorLines(report),
    "",
    verdictText(report),
    ...report.limits.map((limit, i) => `${i === 0 ? "next limit: " : "            "}${limit}`),
    "",
  ].join("\n");
}

/** What becomes of model.yaml. */
export function fileText(
  file: ComparedFile | undefined,
  { isWritten, misplaced }: { readonly isWritten: boolean; readonly misplaced: string | undefined },
): string {
  if (file === undefined) return "model.yaml stays as it is.\n";
  const { path, state, diff } = file;
  const lines = [`--- ${state === "new" ? "/dev/null" : path}`, `+++ ${path}`, ...diff, ""].join("\n");
  if (isWritten) return `${lines}wrote ${path}\n`;
  return `${lines}Nothing is written yet: ${misplaced ?? "--write does"}.\n`;
}

function table({ tried, current, goals, rate }: TuneReport): string[] {
  const head = [rate === undefined ? "connections" : "rate", "requests/s", goals[0]!.figure, "settings"];
  const rows = tried.slice(0, MOST_ROWS).map((one) => {
    const carried = middle(one);
    const name = settingsText(one.point, current);
    if (carried === undefined || one.rejected !== undefined)
      return ["–", "–", "–", `${name}: ${one.rejected}`];
    return [
      String(carried.level),
      carried.perSecond.toFixed(carried.perSecond < 10 ? 1 : 0),
      `${carried.latencyMs[goals[0]!.figure].toFixed(1)} ms`,
      `${name}${noteOf(one, carried)}`,
    ];
  });
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)));
  return [head, ...rows].map((row) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padStart(widths[i]!))).join("  "),
  );
}

function noteOf({ outcomes }: Tried<Capacity>, { meets, isStopped, failures }: Capacity): string {
  const failed = Object.entries(failures).map(([outcome, count]) => `${count} × ${outcome}`);
  if (failed.length > 0) return ` (${failed.join(", ")})`;
  if (isStopped) return " (stopped early)";
  if (!meets) return " (misses the goal)";
  return outcomes.length > 1 ? ` (${outcomes.length} runs)` : "";
}

function errorLines({ errors }: TuneReport): string[] {
  return Object.entries(errors).map(
    ([precision, error]) =>
      `answers in ${precision} are off by ${error.toExponential(1)} of an output's largest value`,
  );
}

function verdictText(report: TuneReport): string {
  const { isMet, final, chosen, current, tried, goals } = report;
  if (!isMet) {
    const best = middle(tried[0]!);
    const closest = best === undefined ? "" : `: ${best.latencyMs[goals[0]!.figure].toFixed(1)} ms`;
    return `No settings kept the goal. Closest came ${settingsText(tried[0]!.point, current)}${closest}.`;
  }
  if (final === undefined) return "Nothing was better than the present settings.";
  const spread = gainText(final.verdict, report.rate);
  return keyOf(chosen) === keyOf(current)
    ? `Not better than now: ${settingsText(final.point, current)} gave ${spread}.`
    : `Better: ${settingsText(final.point, current)} gave ${spread}.`;
}

function gainText({ gain, lowest, highest, kept, rounds }: FinalVerdict, rate: number | undefined): string {
  const goals =
    kept.now === rounds && kept.new === rounds
      ? ""
      : `; the goal was kept in ${kept.now} rounds now and in ${kept.new} with them`;
  return `${gain.toFixed(2)} times ${rate === undefined ? "the requests/s" : "as short a latency"} in ${rounds} rounds in turn (${lowest.toFixed(2)} to ${highest.toFixed(2)})${goals}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
