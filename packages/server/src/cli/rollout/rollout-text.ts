import { oneLine } from "../../base/printable.ts";

type Json = Readonly<Record<string, unknown>>;

/** What a server says of a model's rollout, for a terminal. */
export function rolloutText(document: Json): string {
  const { name, state, share, step, steps, paused, reason, detail } = document;
  const head = [
    `${String(name)}: ${String(state)}`,
    ...(typeof share === "number" ? [`${percent(share)} of the requests${stepText(step, steps)}`] : []),
    ...(paused === true ? ["paused"] : []),
    ...(reason === undefined ? [] : [String(reason)]),
    ...(detail === undefined ? [] : [String(detail)]),
  ].join(", ");
  const sides = ["stable", "candidate"].flatMap((side) => {
    const figures = document[side];
    return typeof figures === "object" && figures !== null ? [sideText(side, figures as Json)] : [];
  });
  return `${[head, ...sides, ...comparedText(document["compared"])].map(oneLine).join("\n")}\n`;
}

function stepText(step: unknown, steps: unknown): string {
  return typeof step === "number" && Array.isArray(steps) ? ` (step ${step + 1} of ${steps.length})` : "";
}

function sideText(side: string, { version, requests, failed, p95_ms: p95Ms }: Json): string {
  const latency = p95Ms === undefined ? "" : `, p95 ${String(p95Ms)} ms`;
  return `  ${side.padEnd(9)}  version ${String(version)}: ${String(requests)} requests, ${String(failed)} failed${latency}`;
}

function comparedText(compared: unknown): string[] {
  if (typeof compared !== "object" || compared === null) return [];
  const { equal, differing, failed } = compared as Json;
  return [`  compared   ${String(equal)} equal, ${String(differing)} differing, ${String(failed)} failed`];
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))}%`;
}
