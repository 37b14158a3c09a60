import type { AutoscalerPolicy } from "./autoscaler.ts";
import type { LoadShape } from "./load-shapes.ts";
import { type Objective, pointAt, rateWithin, replicasFor, type ServiceCurve } from "./service-curve.ts";

/** What a policy is fitted to. */
export interface Demand extends Objective {
  readonly peakPerSecond: number;
  /** Share of the replicas for the peak that stay at any time; 0: the manifest's own least. */
  readonly floor?: number;
}

/** A manifest's policy with the three numbers that depend on model and load: target, least and most replicas. */
export function fittedPolicy(
  manifest: AutoscalerPolicy,
  curve: ServiceCurve,
  demand: Demand,
): AutoscalerPolicy {
  const { peakPerSecond, floor = 0 } = demand;
  const most = replicasFor(curve, peakPerSecond, demand);
  return {
    ...manifest,
    target: targetFor(curve, demand),
    minReplicas: Math.max(manifest.minReplicas, Math.ceil(most * floor)),
    // Noise, retries and a wish that overshoots: a limit against runaway cost, not a wish.
    maxReplicas: Math.max(manifest.minReplicas + 1, Math.ceil(most * MOST_OVER_PLAN)),
  };
}

const MOST_OVER_PLAN = 1.5;

/** Requests that a replica has in flight at the rate that is planned for it: what the autoscaler aims at. */
export function targetFor(curve: ServiceCurve, { sloMs, headroom }: Objective): number {
  const { inFlight } = pointAt(curve, rateWithin(curve, sloMs) * (1 - headroom));
  return Math.round(inFlight * 10) / 10;
}

/** Replica-hours of somebody who knows each second in advance and starts replicas in no time, without headroom. */
export function leastReplicaHours(load: LoadShape, curve: ServiceCurve, sloMs: number): number {
  const each = rateWithin(curve, sloMs);
  return load.reduce((sum, perSecond) => sum + Math.max(1, Math.ceil(perSecond / each)), 0) / 3600;
}
