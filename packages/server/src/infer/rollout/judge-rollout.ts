import type { RollbackReason, RolloutSettings } from "../../base/rollout.ts";

/** What a step showed so far of one version. */
export interface SideFigures {
  readonly requests: number;
  readonly failed: number;
  readonly p95Ms: number | undefined;
}

export interface StepFigures {
  readonly stable: SideFigures;
  readonly candidate: SideFigures & {
    /** Requests that took longer, and those that have waited longer for their answers. */
    slowerThan(latencyMs: number): number;
  };
  readonly compared: { readonly equal: number; readonly differing: number; readonly failed: number };
}

export type StepVerdict =
  /** Nothing is wrong so far, and there are too few requests to say more. */
  | { readonly kind: "open" }
  | { readonly kind: "good" }
  | { readonly kind: "bad"; readonly reason: RollbackReason; readonly detail: string };

/** A latency is worse only by more than this: what small models' latencies vary by says nothing. */
const SLACK_MS = 10;
/** What lies above a 95th percentile. */
const SLOW_PART = 0.05;

/** What a step's figures say of the new version. Each is bad as soon as the requests still to come cannot mend it. */
export function judgeRollout(settings: RolloutSettings, figures: StepFigures): StepVerdict {
  return (
    errorsOf(settings, figures) ??
    latencyOf(settings, figures) ??
    differencesOf(settings, figures) ?? {
      kind: requestsOf(figures) >= settings.minRequests ? "good" : "open",
    }
  );
}

/** Those that the new version was asked for, by clients and by the shadow. */
function requestsOf({ candidate, compared }: StepFigures): number {
  return candidate.requests + compared.equal + compared.differing + compared.failed;
}

function errorsOf(
  { maxErrors, minRequests }: RolloutSettings,
  figures: StepFigures,
): StepVerdict | undefined {
  const { stable, candidate, compared } = figures;
  const [requests, failed] = [requestsOf(figures), candidate.failed + compared.failed];
  const allowed = maxErrors + (stable.requests === 0 ? 0 : stable.failed / stable.requests);
  if (failed <= allowed * Math.max(requests, minRequests)) return undefined;
  const detail = `${failed} of ${requests} requests failed, ${stable.failed} of ${stable.requests} of the old version's`;
  return { kind: "bad", reason: "errors", detail };
}

function latencyOf(settings: RolloutSettings, figures: StepFigures): StepVerdict | undefined {
  const { stable, candidate } = figures;
  const limitMs = latencyLimitMs(settings, figures);
  if (limitMs === undefined) return undefined;
  const slow = candidate.slowerThan(limitMs);
  if (slow <= SLOW_PART * Math.max(candidate.requests, settings.minRequests)) return undefined;
  const old =
    stable.p95Ms === undefined ? "" : `; the old version's 95th percentile is ${msText(stable.p95Ms)}`;
  const detail = `${slow} requests took longer than ${msText(limitMs)}, ${candidate.requests} were answered in all${old}`;
  return { kind: "bad", reason: "latency", detail };
}

/** Undefined: there is none, or nobody knows yet what is usual. */
function latencyLimitMs(
  { maxLatency, minRequests }: RolloutSettings,
  figures: StepFigures,
): number | undefined {
  const { stable, candidate } = figures;
  if (maxLatency === undefined || "ms" in maxLatency) return maxLatency?.ms;
  const isUsual = stable.requests >= minRequests || candidate.requests >= minRequests;
  if (stable.p95Ms === undefined || !isUsual) return undefined;
  return Math.max(stable.p95Ms * maxLatency.times, stable.p95Ms + SLACK_MS);
}

function differencesOf(settings: RolloutSettings, { compared }: StepFigures): StepVerdict | undefined {
  const { maxDiffering, minRequests } = settings;
  const count = compared.equal + compared.differing;
  if (maxDiffering === undefined || compared.differing <= maxDiffering * Math.max(count, minRequests))
    return undefined;
  const detail = `${compared.differing} of ${count} compared answers differ from the old version's`;
  return { kind: "bad", reason: "differing", detail };
}

function msText(ms: number): string {
  return `${Number(ms.toPrecision(2))} ms`;
}
