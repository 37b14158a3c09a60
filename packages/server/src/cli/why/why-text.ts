import { STAGES } from "../../base/timeline.ts";
import type { Evidence } from "../../why/evidence.ts";
import { type Finding, NOTHING_TO_CHANGE } from "../../why/finding.ts";
import type { TrialResult } from "./try-remedy.ts";

/** A finding, and what came of its remedy; a text says why it was not tried. */
export interface Judged extends Finding {
  readonly tried?: TrialResult | string;
}

/** The breakdown and the findings for people. */
export function whyText(head: string, evidence: Evidence, findings: readonly Judged[]): string {
  const { answered, seconds } = evidence;
  if (answered === 0) {
    return `${head}\n\nNo inference was answered in ${seconds.toFixed(1)} s. Send some, or pass --load.\n`;
  }
  const judged = findings.length === 0 ? `${NOTHING_TO_CHANGE}\n` : findings.map(findingText).join("\n");
  return `${head}\n${answered} answers in ${seconds.toFixed(1)} s${loadText(evidence)}\n\n${breakdown(evidence)}\n${judged}`;
}

function loadText({ load }: Evidence): string {
  if (load === undefined) return "";
  const failed = Object.entries(load.failures).map(([outcome, count]) => `, ${count} × ${outcome}`);
  return ` to ${load.connections} connections of our own, ${load.protocol}, ${load.requestBytes} bytes a request${failed.join("")}`;
}

function breakdown({ stages, serverMs, load }: Evidence): string {
  const rows: (readonly [string, ...(number | undefined)[]])[] = STAGES.map((stage) => {
    const { mean, p50, p99 } = stages[stage];
    return [stage, mean, p50, p99] as const;
  });
  rows.push(["server", serverMs]);
  if (load !== undefined) {
    rows.push(["client, network", Math.max(0, load.meanMs - serverMs)]);
    rows.push(["seen by client", load.meanMs, load.p50Ms, load.p99Ms]);
  }
  const cells = rows.map(([name, ...values]) => [
    name.padEnd(15),
    ...values.map((value) => (value ?? 0).toFixed(2).padStart(9)),
  ]);
  return `${["stage, ms".padEnd(15), "mean", "p50", "p99"].map((text, i) => (i === 0 ? text : text.padStart(9))).join("")}\n${cells.map((row) => row.join("")).join("\n")}\n`;
}

function findingText({ costMs, title, evidence, change, tried }: Judged, i: number): string {
  const cost = costMs > 0 ? `  (${costMs.toFixed(2)} ms)` : "";
  const result = tried === undefined ? "" : `   tried:    ${triedText(tried)}\n`;
  return `${i + 1}. ${title}${cost}\n   evidence: ${evidence}\n   change:   ${change}\n${result}`;
}

function triedText(tried: TrialResult | string): string {
  if (typeof tried === "string") return tried;
  const { before, after, gain, helped, error } = tried;
  const figures = `${before.meanMs.toFixed(2)} → ${after.meanMs.toFixed(2)} ms a request, ${before.perSecond.toFixed(0)} → ${after.perSecond.toFixed(0)} requests/s`;
  const off =
    error === undefined
      ? ""
      : `; answers are off by ${(100 * error).toPrecision(2)} % of their largest value`;
  return helped ? `${figures}: ${gain.toFixed(2)} times as fast${off}` : `${figures}: it did not help${off}`;
}
