/** What one replica does with so many requests in flight, as `sconce bench --connections` measures it. */
export interface ServicePoint {
  readonly inFlight: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** Points of growing throughput; the last one is all that a replica can do. */
export type ServiceCurve = readonly ServicePoint[];

interface BenchReport {
  readonly measurements: readonly {
    readonly level: { readonly kind: string; readonly connections: number };
    readonly perSecond: number;
    readonly latencyMs: { readonly p99: number };
  }[];
}

/** Below this more connections are taken for noise, not for more throughput. */
const LEAST_GAIN = 1.01;

/** From what `sconce bench --json --connections 1,2,4,…` prints. Throws where it holds no measurement of a closed load. */
export function readCurve(json: string): ServiceCurve {
  const { measurements } = JSON.parse(json) as BenchReport;
  const measured = measurements
    .filter(({ level }) => level.kind === "closed")
    .map(({ level, perSecond, latencyMs }) => ({
      inFlight: level.connections,
      perSecond,
      p99Ms: latencyMs.p99,
    }))
    .sort((a, b) => a.inFlight - b.inFlight);
  const curve: ServicePoint[] = [];
  for (const point of measured) {
    const last = curve.at(-1);
    if (last !== undefined && point.perSecond < last.perSecond * LEAST_GAIN) continue;
    // A latency that falls while throughput grows is the noise of a short measurement.
    curve.push({ ...point, p99Ms: Math.max(point.p99Ms, last?.p99Ms ?? 0) });
  }
  if (curve.length === 0)
    throw new Error("no measurement of a closed load: sconce bench --connections 1,2,4,8");
  return curve;
}

/** What a replica does at this rate, between the points that were measured; above all of them, the last one. */
export function pointAt(curve: ServiceCurve, perSecond: number): ServicePoint {
  const first = curve[0]!;
  if (perSecond <= first.perSecond) {
    return { inFlight: (first.inFlight * perSecond) / first.perSecond, perSecond, p99Ms: first.p99Ms };
  }
  const next = curve.findIndex((point) => point.perSecond >= perSecond);
  if (next < 0) return curve.at(-1)!;
  const [low, high] = [curve[next - 1]!, curve[next]!];
  const share = (perSecond - low.perSecond) / (high.perSecond - low.perSecond);
  return {
    inFlight: low.inFlight + share * (high.inFlight - low.inFlight),
    perSecond,
    p99Ms: low.p99Ms + share * (high.p99Ms - low.p99Ms),
  };
}

/** The highest rate of a replica whose p99 keeps the objective; 0: none does. */
export function rateWithin(curve: ServiceCurve, sloMs: number): number {
  const beyond = curve.findIndex((point) => point.p99Ms > sloMs);
  if (beyond < 0) return curve.at(-1)!.perSecond;
  if (beyond === 0) return 0;
  const [low, high] = [curve[beyond - 1]!, curve[beyond]!];
  const share = (sloMs - low.p99Ms) / (high.p99Ms - low.p99Ms);
  return low.perSecond + share * (high.perSecond - low.perSecond);
}

/** What a service level is, and how much of a replica a load may use. */
export interface Objective {
  readonly sloMs: number;
  /** Share of a replica's rate within the objective that is left free: for arrivals that are uneven, and for the time until more replicas are there. */
  readonly headroom: number;
}

/** Replicas for a steady load, one of which may be missing: it is updated, moved, or gone. Throws where no rate keeps the objective. */
export function replicasFor(curve: ServiceCurve, perSecond: number, { sloMs, headroom }: Objective): number {
  const each = rateWithin(curve, sloMs) * (1 - headroom);
  if (each === 0)
    throw new Error(`a replica's p99 is over ${sloMs} ms already with ${curve[0]!.inFlight} in flight`);
  return Math.ceil(perSecond / each) + 1;
}
