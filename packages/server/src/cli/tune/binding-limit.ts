import { fileKey } from "../../config/option.ts";
import type { Finding } from "../../why/finding.ts";
import type { Capacity } from "./capacity.ts";
import type { Axis, Point } from "./search.ts";

/** A client this busy may be what limits. */
const BUSY_CLIENT = 0.85;

/** What stands in the way of more, each in a sentence, the nearest first. */
export function bindingLimits(
  best: { readonly point: Point; readonly capacity: Capacity },
  {
    axes,
    findings,
    maxConnections,
    rate,
  }: {
    readonly axes: readonly Axis[];
    readonly findings: readonly Finding[];
    readonly maxConnections: number;
    readonly rate: number | undefined;
  },
): readonly string[] {
  const { point, capacity } = best;
  const { broken, level, clientShare, stageMs } = capacity;
  const limits: string[] = [];
  if (clientShare >= BUSY_CLIENT)
    limits.push(
      `the load itself: this command was busy ${Math.round(100 * clientShare)} % of the time, so the server may carry more`,
    );
  if (rate === undefined && broken !== undefined && capacity.meets) {
    limits.push(
      `the goal: ${broken.level} connections give ${broken.perSecond.toFixed(0)} requests/s, and take ${broken.excess.toFixed(2)} times what is allowed`,
    );
  } else if (rate === undefined && capacity.meets && level >= maxConnections) {
    limits.push(`--max-connections: ${level} connections keep the goal`);
  }
  const [stage, ms] = Object.entries(stageMs ?? {}).sort((a, b) => b[1] - a[1])[0] ?? [];
  if (stage !== undefined && ms !== undefined)
    limits.push(`${stage}: it takes most of a request, ${ms.toFixed(2)} ms`);
  for (const { name, values, isOrdered } of axes)
    if (isOrdered && name === "maxBatchSize" && point[name] === values.at(-1))
      limits.push(`${fileKey(name)}: ${point[name]} is the largest that was tried`);
  const finding = findings[0];
  if (finding !== undefined)
    limits.push(`${finding.title.toLowerCase()}: ${finding.evidence}; ${finding.change}`);
  return limits;
}
