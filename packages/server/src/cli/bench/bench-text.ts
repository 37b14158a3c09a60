import { levelText } from "./load-levels.ts";
import type { Measurement } from "./measure.ts";

/** Above it, the client could hardly have sent faster. */
const BUSY_CLIENT = 0.9;
const LATE_LOOP_MS = 10;

/** The measurements as a table, and what to know about each. */
export function benchText(head: string, measurements: readonly Measurement[]): string {
  const rows = measurements.map(row);
  const all = [["load", "req/s", "mean", "p50", "p90", "p99", "p99.9", "max ms", "failed"], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((cells) => cells[column]!.length)));
  const table = all.map((cells) => cells.map((cell, i) => cell.padStart(widths[i]!)).join("  "));
  const notes = measurements.flatMap((one) => remarks(one).map((text) => `${levelText(one.level)}: ${text}`));
  return `${head}\n\n${table.join("\n")}\n${notes.length === 0 ? "" : `\n${notes.join("\n")}\n`}`;
}

function row({ level, perSecond, latencyMs, failures }: Measurement): string[] {
  const { mean, p50, p90, p99, p999, max } = latencyMs;
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
  return [
    levelText(level),
    perSecond.toFixed(1),
    ...[mean, p50, p90, p99, p999, max].map((ms) => ms.toFixed(2)),
    String(failed),
  ];
}

/** What limits the worth of a measurement, in sentences. */
export function remarks({ isStable, failures, client, level, answered }: Measurement): string[] {
  const texts: string[] = [];
  if (!isStable) texts.push("not stable: no three windows in a row agreed before the limit");
  if (answered === 0) texts.push("no request was answered");
  const kinds = Object.entries(failures).map(([outcome, count]) => `${count} × ${outcome}`);
  if (kinds.length > 0) texts.push(`failed: ${kinds.join(", ")}`);
  if (level.kind === "open" && (client.waiting > 0 || client.dropped > 0)) {
    texts.push(
      `${client.waiting + client.dropped} requests had no connection at the end: the server is past its limit, or --connections is too low`,
    );
  }
  if (level.kind === "open" && client.sentLateMs > 1) {
    texts.push(
      `the client sent ${client.sentLateMs.toFixed(1)} ms late on average, which is part of the latency`,
    );
  }
  if (client.cpuShare > BUSY_CLIENT || client.loopLateMs > LATE_LOOP_MS) {
    const percent = Math.round(client.cpuShare * 100);
    texts.push(
      `the client was a limit itself: ${percent} % of a core, event loop ${client.loopLateMs.toFixed(1)} ms late (p99)`,
    );
  }
  return texts;
}
