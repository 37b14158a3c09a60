import { parse } from "yaml";

/** At most so many replicas more, or fewer, within `periodS`. */
export interface ScalingLimit {
  readonly kind: "Percent" | "Pods";
  readonly value: number;
  readonly periodS: number;
}

export interface ScalingRule {
  /** The most careful wish of this time counts. */
  readonly stabilizationS: number;
  readonly limits: readonly ScalingLimit[];
}

/** What a HorizontalPodAutoscaler says. */
export interface AutoscalerPolicy {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Requests in flight that a replica should have. */
  readonly target: number;
  readonly up: ScalingRule;
  readonly down: ScalingRule;
}

interface ManifestRule {
  readonly stabilizationWindowSeconds: number;
  readonly policies: readonly {
    readonly type: "Percent" | "Pods";
    readonly value: number;
    readonly periodSeconds: number;
  }[];
}

interface Manifest {
  readonly spec: {
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly metrics: readonly [{ readonly pods: { readonly target: { readonly averageValue: string } } }];
    readonly behavior: { readonly scaleUp: ManifestRule; readonly scaleDown: ManifestRule };
  };
}

/** The policy of a manifest such as deploy/kubernetes/autoscaler.yaml. */
export function readPolicy(yaml: string): AutoscalerPolicy {
  const { spec } = parse(yaml) as Manifest;
  const { scaleUp, scaleDown } = spec.behavior;
  return {
    minReplicas: spec.minReplicas,
    maxReplicas: spec.maxReplicas,
    target: Number(spec.metrics[0].pods.target.averageValue),
    up: ruleOf(scaleUp),
    down: ruleOf(scaleDown),
  };
}

function ruleOf({ stabilizationWindowSeconds, policies }: ManifestRule): ScalingRule {
  return {
    stabilizationS: stabilizationWindowSeconds,
    limits: policies.map(({ type, value, periodSeconds }) => ({ kind: type, value, periodS: periodSeconds })),
  };
}

/** What the controller sees when it decides. */
export interface FleetView {
  readonly nowS: number;
  readonly ready: number;
  /** Asked for and not ready yet. */
  readonly starting: number;
  /** Requests in flight in all ready replicas, as last scraped. */
  readonly inFlight: number;
}

/** Wishes closer than this to what there is are not acted on (Kubernetes' default). */
const TOLERANCE = 0.1;

/** Kubernetes' algorithm (autoscaling/v2, a metric of pods), which remembers what it wished and did. */
export class Autoscaler {
  readonly #policy: AutoscalerPolicy;
  readonly #wishes: { readonly atS: number; readonly replicas: number }[] = [];
  readonly #changes: { readonly atS: number; readonly by: number }[] = [];

  constructor(policy: AutoscalerPolicy) {
    this.#policy = policy;
  }

  /** How many replicas there shall be from now on. */
  decide(view: FleetView): number {
    const { minReplicas, maxReplicas, up, down } = this.#policy;
    const { nowS } = view;
    const current = view.ready + view.starting;
    const wish = Math.min(maxReplicas, Math.max(minReplicas, wishedReplicas(view, this.#policy.target)));
    this.#wishes.push({ atS: nowS, replicas: wish });
    const oldest = nowS - Math.max(up.stabilizationS, down.stabilizationS);
    while (this.#wishes[0]!.atS < oldest) this.#wishes.shift();
    const lowest = Math.min(...this.#since(nowS - up.stabilizationS));
    const highest = Math.max(...this.#since(nowS - down.stabilizationS));
    let next = current;
    if (lowest > current) next = Math.min(lowest, this.#bound(up, { nowS, current, direction: 1 }));
    else if (highest < current) next = Math.max(highest, this.#bound(down, { nowS, current, direction: -1 }));
    if (next !== current) this.#changes.push({ atS: nowS, by: next - current });
    return next;
  }

  #since(fromS: number): number[] {
    return this.#wishes.filter(({ atS }) => atS >= fromS).map(({ replicas }) => replicas);
  }

  /** How far the most generous limit lets it go. */
  #bound(
    { limits }: ScalingRule,
    {
      nowS,
      current,
      direction,
    }: { readonly nowS: number; readonly current: number; readonly direction: 1 | -1 },
  ): number {
    const bounds = limits.map(({ kind, value, periodS }) => {
      const changed = this.#changes
        .filter(({ atS, by }) => atS > nowS - periodS && Math.sign(by) === direction)
        .reduce((sum, { by }) => sum + by, 0);
      const before = current - changed;
      const step = kind === "Pods" ? value : (before * value) / 100;
      return direction > 0 ? Math.ceil(before + step) : Math.floor(before - step);
    });
    return direction > 0 ? Math.max(...bounds) : Math.min(...bounds);
  }
}

/** Before limits: replicas that are not ready count as idle when there are too few, as busy when there are too many. */
function wishedReplicas({ ready, starting, inFlight }: FleetView, target: number): number {
  const current = ready + starting;
  if (ready === 0) return current;
  const isTooFew = inFlight / (ready * target) > 1;
  const counted = isTooFew ? inFlight : inFlight + starting * target;
  const ratio = counted / (current * target);
  const isClose = ratio >= 1 - TOLERANCE && ratio <= 1 + TOLERANCE;
  return isClose || ratio > 1 !== isTooFew ? current : Math.ceil(counted / target);
}
