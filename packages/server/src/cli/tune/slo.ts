import { ServeError } from "../../base/errors.ts";
import { parseOption } from "../../config/parse-option.ts";
import type { Latencies } from "../bench/measure.ts";

const FIGURES = ["mean", "p50", "p90", "p95", "p99", "p999", "max"] as const;

/** One latency and the milliseconds that it may take. */
export interface Goal {
  readonly figure: (typeof FIGURES)[number];
  readonly limitMs: number;
}

const HOUR_MS = 3_600_000;

/** Reads `p99=50ms`, or several such with commas. Throws ServeError `bad_option`. */
export function parseSlo(text: string): readonly Goal[] {
  return text.split(",").map((part) => {
    const [, name, limit] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(part) ?? [];
    const figure = FIGURES.find((known) => known === name);
    if (figure === undefined || limit === undefined) {
      throw new ServeError(
        "invalid_argument",
        `--slo: expected a latency and its limit, such as p99=50ms (${FIGURES.join(", ")}; several with commas), got ${JSON.stringify(text.slice(0, 80))}`,
        { reason: "bad_option" },
      );
    }
    const row = { kind: "duration", min: 0.01, max: HOUR_MS, default: null, doc: "" } as const;
    return { figure, limitMs: parseOption(row, limit, { label: "--slo" }) as number };
  });
}

/** How many times its limit the worst of these latencies takes. */
export function excessOf(goals: readonly Goal[], latencies: Latencies): number {
  return Math.max(...goals.map(({ figure, limitMs }) => latencies[figure] / limitMs));
}

/** `p99 of at most 50 ms`. */
export function sloText(goals: readonly Goal[]): string {
  return goals.map(({ figure, limitMs }) => `${figure} of at most ${limitMs} ms`).join(" and ");
}
