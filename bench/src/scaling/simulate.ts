import { Autoscaler, type AutoscalerPolicy } from "./autoscaler.ts";
import type { LoadShape } from "./load-shapes.ts";
import { pointAt, type ServiceCurve } from "./service-curve.ts";

/** What is simulated, but for the load. */
export interface Design {
  readonly curve: ServiceCurve;
  readonly policy: AutoscalerPolicy;
  readonly sloMs: number;
  /** Requests that may wait in a replica (`max_queue_size`); more are rejected. */
  readonly queueSize: number;
  /** From the wish for a replica to its first request: a place, the image, the models. */
  readonly startS: number;
  /** A replica that shall go costs for so long (`--drain-delay` and the last runs). */
  readonly drainS: number;
}

export interface Outcome {
  /** Seconds in which p99 was over the objective, or more than one request in a hundred was rejected. */
  readonly aboveSloS: number;
  /** Share of the requests that found no room, the last time they were tried. */
  readonly lostShare: number;
  readonly replicas: { readonly least: number; readonly mean: number; readonly most: number };
  readonly replicaHours: number;
  readonly worstP99Ms: number;
}

/** Kubernetes' and Prometheus' own defaults. */
const DECIDE_EVERY_S = 15;
const SCRAPE_EVERY_S = 15;
/** Scraped in the middle between decisions: a decision sees what was half of that ago. */
const SCRAPE_AT_S = 8;
/** Rejections say `Retry-After: 1`; clients that try three times come back two times in three. */
const RETURNING = 2 / 3;
const BACK_AFTER_S = [1, 2] as const;
const REJECTED_TOO_MANY = 0.01;

/** A fleet behind a balancer that shares evenly, second by second, as a fluid: requests have no size of their own. It begins with what the first hour needs. */
export function simulate(load: LoadShape, design: Design): Outcome {
  const fleet = new Fleet(design, load);
  for (let second = 0; second < load.length; second++) fleet.step(second);
  return fleet.outcome();
}

class Fleet {
  readonly #design: Design;
  readonly #load: LoadShape;
  readonly #autoscaler: Autoscaler;
  /** When each replica that starts will be ready, the soonest first. */
  readonly #starting: { readonly readyS: number; count: number }[] = [];
  readonly #returning: Float64Array;
  #ready: number;
  #waiting = 0;
  #scraped = 0;
  #aboveSloS = 0;
  #offered = 0;
  #lost = 0;
  #replicaSeconds = 0;
  #least = Number.POSITIVE_INFINITY;
  #most = 0;
  #worstP99Ms = 0;

  constructor(design: Design, load: LoadShape) {
    this.#design = design;
    this.#load = load;
    this.#autoscaler = new Autoscaler(design.policy);
    this.#returning = new Float64Array(load.length + 1 + BACK_AFTER_S[1]);
    const { minReplicas, maxReplicas } = design.policy;
    this.#ready = Math.min(maxReplicas, Math.max(minReplicas, replicasAt(load[0]!, design)));
  }

  step(second: number): void {
    while (this.#starting.length > 0 && this.#starting[0]!.readyS <= second) {
      this.#ready += this.#starting.shift()!.count;
    }
    const inFlight = this.#serve(second);
    if (second % SCRAPE_EVERY_S === SCRAPE_AT_S) this.#scraped = inFlight;
    if (second % DECIDE_EVERY_S === 0 && second > 0) this.#decide(second);
    const replicas = this.#ready + this.#startingCount();
    this.#replicaSeconds += replicas;
    this.#least = Math.min(this.#least, replicas);
    this.#most = Math.max(this.#most, replicas);
  }

  outcome(): Outcome {
    return {
      aboveSloS: this.#aboveSloS,
      lostShare: this.#offered === 0 ? 0 : this.#lost / this.#offered,
      replicas: { least: this.#least, mean: this.#replicaSeconds / this.#load.length, most: this.#most },
      replicaHours: this.#replicaSeconds / 3600,
      worstP99Ms: this.#worstP99Ms,
    };
  }

  /** What is in flight at the end of this second. */
  #serve(second: number): number {
    const { curve, queueSize, sloMs } = this.#design;
    const top = curve.at(-1)!;
    const fresh = this.#load[second]!;
    const arriving = fresh + this.#returning[second]!;
    this.#offered += fresh;
    const canServe = this.#ready * top.perSecond;
    const served = Math.min(canServe, this.#waiting + arriving);
    const left = this.#waiting + arriving - served;
    this.#waiting = Math.min(left, this.#ready * queueSize);
    const rejected = left - this.#waiting;
    this.#sendAgain(second, rejected);
    const point = pointAt(curve, served / this.#ready);
    const p99Ms = point.p99Ms + (this.#waiting / canServe) * 1000;
    this.#worstP99Ms = Math.max(this.#worstP99Ms, p99Ms);
    if (p99Ms > sloMs || rejected > arriving * REJECTED_TOO_MANY) this.#aboveSloS += 1;
    return this.#ready * point.inFlight + this.#waiting;
  }

  #sendAgain(second: number, rejected: number): void {
    this.#lost += rejected * (1 - RETURNING);
    for (const after of BACK_AFTER_S) {
      const at = second + after;
      this.#returning[at] = this.#returning[at]! + (rejected * RETURNING) / BACK_AFTER_S.length;
    }
  }

  #decide(second: number): void {
    const { startS, drainS } = this.#design;
    const starting = this.#startingCount();
    const current = this.#ready + starting;
    const wanted = this.#autoscaler.decide({
      nowS: second,
      ready: this.#ready,
      starting,
      inFlight: this.#scraped,
    });
    if (wanted > current) this.#starting.push({ readyS: second + startS, count: wanted - current });
    if (wanted < current) {
      this.#replicaSeconds += (current - wanted) * drainS;
      this.#remove(current - wanted);
    }
  }

  /** Those that are not ready yet go first. */
  #remove(count: number): void {
    let left = count;
    while (left > 0 && this.#starting.length > 0) {
      const last = this.#starting.at(-1)!;
      const gone = Math.min(left, last.count);
      last.count -= gone;
      left -= gone;
      if (last.count === 0) this.#starting.pop();
    }
    this.#ready -= left;
  }

  #startingCount(): number {
    return this.#starting.reduce((sum, { count }) => sum + count, 0);
  }
}

/** As many as have the policy's target in flight each. */
function replicasAt(perSecond: number, { curve, policy }: Design): number {
  return Math.ceil(perSecond / rateAtTarget(curve, policy.target));
}

/** The rate at which a replica has so many requests in flight. */
export function rateAtTarget(curve: ServiceCurve, target: number): number {
  const first = curve[0]!;
  if (target <= first.inFlight) return (first.perSecond * target) / first.inFlight;
  const next = curve.findIndex((point) => point.inFlight >= target);
  if (next < 0) return curve.at(-1)!.perSecond;
  const [low, high] = [curve[next - 1]!, curve[next]!];
  const share = (target - low.inFlight) / (high.inFlight - low.inFlight);
  return low.perSecond + share * (high.perSecond - low.perSecond);
}
