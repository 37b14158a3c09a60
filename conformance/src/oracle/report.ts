import type { OtherSizes, SampleResult, Verdict } from "./verdict.ts";

export type Totals = Record<Verdict["kind"], number>;

export interface OracleReport {
  readonly totals: Totals;
  /** Samples that consist of Core ATen ops alone. */
  readonly core: Totals;
  readonly ops: Readonly<Record<string, Totals>>;
  /** Of the TorchScript programs that pass: what came of other sizes than their example's. */
  readonly sizes: OtherSizes;
  /** Samples that do not take, or take too many, sizes. */
  readonly sizesMissed: readonly { readonly sample: string; readonly sizes: OtherSizes }[];
  /** How many samples each op stops, most first. */
  readonly refusedOps: readonly (readonly [op: string, samples: number])[];
  /** Samples without a defined result, with the reason. */
  readonly skipped: readonly { readonly sample: string; readonly reason: string }[];
  readonly failures: readonly { readonly sample: string; readonly verdict: Verdict }[];
}

function none(): Totals {
  return { pass: 0, refused: 0, skipped: 0, wrong: 0, error: 0 };
}

/** Sums verdicts up: per op (pack), overall, and by the op that was refused. */
export function reportOf(results: readonly SampleResult[]): OracleReport {
  const [totals, core] = [none(), none()];
  const ops: Record<string, Totals> = {};
  const refused = new Map<string, number>();
  for (const { op, verdict, core: isCore } of results) {
    ops[op] ??= none();
    for (const sums of isCore ? [totals, core, ops[op]] : [totals, ops[op]]) sums[verdict.kind] += 1;
    if (verdict.kind !== "refused") continue;
    for (const name of verdict.ops) refused.set(name, (refused.get(name) ?? 0) + 1);
  }
  return {
    totals,
    core,
    ops,
    ...sizesOf(results),
    refusedOps: [...refused].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])),
    skipped: results.flatMap(({ op, id, verdict }) =>
      verdict.kind === "skipped" ? [{ sample: `${op} ${id}`, reason: verdict.detail }] : [],
    ),
    failures: results
      .filter(({ verdict }) => verdict.kind === "wrong" || verdict.kind === "error")
      .map(({ op, id, verdict }) => ({ sample: `${op} ${id}`, verdict })),
  };
}

function sizesOf(results: readonly SampleResult[]): Pick<OracleReport, "sizes" | "sizesMissed"> {
  const sum = { equal: 0, fixed: 0, neither: 0, lax: 0 };
  const sizesMissed: { sample: string; sizes: OtherSizes }[] = [];
  for (const { op, id, verdict } of results) {
    if (verdict.kind !== "pass" || verdict.sizes === undefined) continue;
    const { sizes } = verdict;
    for (const key of ["equal", "fixed", "neither", "lax"] as const) sum[key] += sizes[key];
    if (sizes.fixed + sizes.lax > 0) sizesMissed.push({ sample: `${op} ${id}`, sizes });
  }
  return { sizes: sum, sizesMissed };
}

export function sizesText({ equal, fixed, neither, lax }: OtherSizes): string {
  return `${equal} equal, ${fixed} not taken, ${neither} taken by neither, ${lax} by this one alone`;
}

export function totalsText({ pass, refused, skipped, wrong, error }: Totals): string {
  return `${pass} pass, ${refused} refused, ${skipped} skipped, ${wrong} wrong, ${error} error`;
}

/** How much is right of all that has a defined result. */
function shareText({ pass, refused, wrong, error }: Totals): string {
  return `${((100 * pass) / Math.max(1, pass + refused + wrong + error)).toFixed(2)} %`;
}

/** A line per op, then what is wrong, then the totals. */
export function* reportLines(
  report: OracleReport,
  options: { readonly perOp: boolean; readonly limit: number },
): Generator<string> {
  if (options.perOp) {
    for (const [op, totals] of Object.entries(report.ops)) yield `${op.padEnd(40)} ${totalsText(totals)}`;
  }
  yield* limited(
    report.failures.map(({ sample, verdict }) => `${verdict.kind}: ${sample}: ${detailOf(verdict)}`),
    options.limit,
  );
  yield* limited(
    report.refusedOps.map(([op, samples]) => `refused: ${op} (${samples} samples)`),
    options.limit,
  );
  yield* limited(
    report.skipped.map(({ sample, reason }) => `skipped: ${sample}: ${reason}`),
    options.limit,
  );
  yield* limited(
    report.sizesMissed.map(({ sample, sizes }) => `sizes: ${sample}: ${sizesText(sizes)}`),
    options.limit,
  );
  const { equal, fixed, neither, lax } = report.sizes;
  if (equal + fixed + neither + lax > 0) yield `at other sizes: ${sizesText(report.sizes)}`;
  yield `Core ATen alone: ${totalsText(report.core)}`;
  yield `all: ${totalsText(report.totals)}; right ${shareText(report.totals)}`;
}

function detailOf(verdict: Verdict): string {
  return verdict.kind === "pass" ? "" : verdict.detail;
}

function* limited(lines: readonly string[], limit: number): Generator<string> {
  yield* lines.slice(0, limit);
  if (lines.length > limit) yield `… and ${lines.length - limit} more (--limit N, --json FILE)`;
}
