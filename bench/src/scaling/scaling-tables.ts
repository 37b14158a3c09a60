import { createRandom } from "@sconce/conformance/internals/random";
import type { AutoscalerPolicy, ScalingRule } from "./autoscaler.ts";
import { footprint, type Surroundings } from "./limits.ts";
import { DAY_S, dailyLoad, herdLoad, type LoadShape, spikyLoad } from "./load-shapes.ts";
import { type Demand, fittedPolicy, leastReplicaHours, targetFor } from "./plan.ts";
import { replicasFor, type ServiceCurve } from "./service-curve.ts";
import { type Design, simulate } from "./simulate.ts";

/** A model as a replica serves it, and what its users expect. */
export interface Service {
  readonly name: string;
  readonly curve: ServiceCurve;
  readonly sloMs: number;
  readonly queueSize: number;
}

export interface Scenario {
  readonly services: readonly Service[];
  readonly manifest: AutoscalerPolicy;
  readonly seed: number;
}

type Row = Readonly<Record<string, string>>;
/** Rows by what stands above them. */
export type Tables = Readonly<Record<string, readonly Row[]>>;

const PEAKS = [1e3, 1e4, 1e5, 1e6] as const;
const HEADROOM = 0.4;
const START_S = 20;
const DRAIN_S = 12;
const SHAPES = { daily: dailyLoad, spiky: spikyLoad, herd: herdLoad } as const;
/** Where from: docs/scaling.md. */
export const SURROUNDINGS: Surroundings = {
  proxyPerCore: 20_000,
  proxyCores: 8,
  storeOperations: 100_000,
  storeShare: 0.2,
  seriesPerReplica: 365,
  scrapeEveryS: 15,
  healthEveryS: 1,
  startS: START_S,
  drainS: DRAIN_S,
};

/** Everything that docs/scaling.md shows, from curves, a manifest and a seed alone. */
export function scalingTables(scenario: Scenario): Tables {
  const { services } = scenario;
  return {
    ...Object.fromEntries(services.map((service) => [`curve of ${service.name}`, curveRows(service)])),
    replicas: replicaRows(services),
    ...Object.fromEntries(
      services.map((service) => [`a day of ${service.name}`, dayRows(service, scenario)]),
    ),
    choices: choiceRows(scenario),
    surroundings: surroundingRows(services),
  };
}

function curveRows({ curve }: Service): Row[] {
  return curve.map(({ inFlight, perSecond, p99Ms }) => ({
    "in flight": String(inFlight),
    "requests/s": whole(perSecond),
    "p99 ms": p99Ms.toFixed(1),
  }));
}

function replicaRows(services: readonly Service[]): Row[] {
  return PEAKS.map((perSecond) => ({
    "requests/s": whole(perSecond),
    ...Object.fromEntries(
      services.map(({ name, curve, sloMs }) => [
        `${name}, p99 ${sloMs} ms`,
        whole(replicasFor(curve, perSecond, { sloMs, headroom: HEADROOM })),
      ]),
    ),
  }));
}

function dayRows(service: Service, scenario: Scenario): Row[] {
  return Object.entries(SHAPES).flatMap(([shape, make]) =>
    PEAKS.map((peakPerSecond) => {
      const load = make(peakPerSecond, createRandom(scenario.seed));
      const demand = { sloMs: service.sloMs, headroom: HEADROOM, peakPerSecond };
      const row = dayOf(load, designOf(service, scenario, demand));
      return { load: shape, "peak/s": whole(peakPerSecond), ...row };
    }),
  );
}

function designOf(service: Service, { manifest }: Scenario, demand: Demand): Design {
  return {
    curve: service.curve,
    policy: fittedPolicy(manifest, service.curve, demand),
    sloMs: service.sloMs,
    queueSize: service.queueSize,
    startS: START_S,
    drainS: DRAIN_S,
  };
}

function dayOf(load: LoadShape, design: Design): Row {
  const { aboveSloS, lostShare, replicas, replicaHours } = simulate(load, design);
  return {
    "above SLO": `${whole(aboveSloS)} s`,
    "of the day": `${((100 * aboveSloS) / DAY_S).toFixed(2)} %`,
    lost: `${(100 * lostShare).toFixed(2)} %`,
    replicas: `${whole(replicas.least)} … ${whole(replicas.most)}`,
    "replica-hours": whole(replicaHours),
    "× least": (replicaHours / leastReplicaHours(load, design.curve, design.sloMs)).toFixed(2),
  };
}

const CHOICE_PEAK = 1e5;

/** The slower model at one peak, with one thing changed at a time. */
function choiceRows(scenario: Scenario): Row[] {
  const service = scenario.services.at(-1)!;
  const { sloMs, curve } = service;
  const base: Demand = { sloMs, headroom: HEADROOM, peakPerSecond: CHOICE_PEAK };
  const design = (demand: Partial<Demand> = {}, more: Partial<Design> = {}): Design => ({
    ...designOf(service, scenario, { ...base, ...demand }),
    ...more,
  });
  const fitted = design();
  const always = replicasFor(curve, CHOICE_PEAK, base);
  const choices: Readonly<Record<string, Design>> = {
    [`fitted: headroom ${HEADROOM * 100} %, target ${targetFor(curve, base)}`]: fitted,
    "headroom 20 %": design({ headroom: 0.2 }),
    "headroom 60 %": design({ headroom: 0.6 }),
    [`the manifest's target of ${scenario.manifest.target}`]: design(
      {},
      { policy: { ...fitted.policy, target: scenario.manifest.target } },
    ),
    "a replica starts in 5 s": design({}, { startS: 5 }),
    "in 120 s (a new node)": design({}, { startS: 120 }),
    "up by 100 % in 15 s": design({}, { policy: { ...fitted.policy, up: byPercent(100, 15) } }),
    "up by 100 % in 60 s": design({}, { policy: { ...fitted.policy, up: byPercent(100, 60) } }),
    "up by 900 % in 15 s": design({}, { policy: { ...fitted.policy, up: byPercent(900, 15) } }),
    "down at once": design({}, { policy: { ...fitted.policy, down: byPercent(100, 15) } }),
    "never below a fifth": design({ floor: 0.2 }),
    "never below half": design({ floor: 0.5 }),
    [`always ${whole(always)}`]: design(
      {},
      { policy: { ...fitted.policy, minReplicas: always, maxReplicas: always } },
    ),
  };
  const loads = Object.entries(SHAPES).map(
    ([shape, make]) => [shape, make(CHOICE_PEAK, createRandom(scenario.seed))] as const,
  );
  return Object.entries(choices).map(([choice, chosen]) => ({
    choice,
    ...Object.fromEntries(
      loads.flatMap(([shape, load]) => {
        const { aboveSloS, replicaHours } = simulate(load, chosen);
        return [
          [`${shape}, s above`, whole(aboveSloS)],
          [`${shape}, hours`, whole(replicaHours)],
        ];
      }),
    ),
  }));
}

function byPercent(percent: number, periodS: number): ScalingRule {
  return { stabilizationS: 0, limits: [{ kind: "Percent", value: percent, periodS }] };
}

function surroundingRows(services: readonly Service[]): Row[] {
  return services.flatMap(({ name, curve, sloMs }) =>
    PEAKS.map((perSecond) => {
      const replicas = replicasFor(curve, perSecond, { sloMs, headroom: HEADROOM });
      const needs = footprint(perSecond, replicas, SURROUNDINGS);
      return {
        model: name,
        "requests/s": whole(perSecond),
        replicas: whole(replicas),
        proxies: whole(needs.proxies),
        "store operations/s": whole(needs.storeOperations),
        stores: whole(needs.stores),
        series: whole(needs.series),
        "samples/s": whole(needs.samples),
        "health checks/s": whole(needs.healthChecks),
        "update by one": duration(needs.updateByOneS),
        "by a quarter": duration(needs.updateByQuarterS),
      };
    }),
  );
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
