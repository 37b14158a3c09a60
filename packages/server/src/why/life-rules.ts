import type { Evidence } from "./evidence.ts";
import { isWorthIt, LEAST_MS, ofTotal, type Rule } from "./finding.ts";

/** A request that waited for a load spent at least this share of one. */
const WAITED_SHARE = 0.5;
/** A first run that is slow takes so many times what the others take. */
const COLD_RUN = 4;
const NEARLY_FULL = 0.9;

/** Before a request runs. */
const STAGES_BEFORE = ["receive", "decode", "queue", "batch"] as const;

/** A model was loaded while requests waited for it. */
export const coldStart: Rule = ({ loads, stages, answered }) => {
  if (loads.count === 0) return undefined;
  const slowest = Math.max(...STAGES_BEFORE.map((stage) => stages[stage].p99));
  if (slowest < WAITED_SHARE * loads.mean) return undefined;
  return {
    id: "cold_start",
    costMs: loads.mean / answered,
    title: "Requests waited for the model to be loaded",
    evidence: `it was loaded ${loads.count === 1 ? "once" : `${loads.count} times`} meanwhile, in ${loads.mean.toFixed(0)} ms, and the slowest requests waited ${slowest.toFixed(0)} ms before they ran`,
    change:
      "load it before requests come: --model-control none loads all at the start, with --model-control explicit ask POST /v2/repository/models/MODEL/load, with lazy loading raise --max-loaded-models; readiness tells when",
  };
};

/** What there is beside the waiting for a load, which is no other cause's: stages that held it count as half of the requests found them. */
export function besidesLoad(evidence: Evidence): Evidence {
  if (coldStart(evidence) === undefined) return evidence;
  const { stages, loads } = evidence;
  const held = STAGES_BEFORE.filter((stage) => stages[stage].p99 >= WAITED_SHARE * loads.mean);
  const usual = held.map((stage) => {
    const { mean, p50 } = stages[stage];
    return [stage, { ...stages[stage], mean: Math.min(mean, p50) }] as const;
  });
  const saved = usual.reduce((sum, [stage, { mean }]) => sum + stages[stage].mean - mean, 0);
  return {
    ...evidence,
    stages: { ...stages, ...Object.fromEntries(usual) },
    serverMs: evidence.serverMs - saved,
  };
}

/** The first requests of a model that nobody warmed up. */
export const noWarmUp: Rule = (evidence) => {
  const { stages, warmupRuns, isFirst } = evidence;
  const { p50, p99, mean } = stages.compute;
  if (warmupRuns !== 0 || !isFirst || p99 < COLD_RUN * p50 || mean - p50 < LEAST_MS) return undefined;
  if (!isWorthIt(mean - p50, evidence)) return undefined;
  return {
    id: "no_warm_up",
    costMs: mean - p50,
    title: "The first requests find the model cold",
    evidence: `warmup_runs is 0, these are the first requests since it was loaded, and the slowest runs took ${p99.toFixed(1)} ms where half took at most ${p50.toFixed(1)}`,
    change: "warmup_runs: 1   # in model.yaml: it is ready when it has run once",
  };
};

/** The container may not use much more memory: the system then takes pages back that are needed, and ends processes. */
export const memoryNearLimit: Rule = ({ machine, serverMs, stages }) => {
  const memory = machine?.memory;
  if (memory === undefined || memory.used < NEARLY_FULL * memory.limit) return undefined;
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  return {
    id: "memory_near_limit",
    costMs: 0,
    title: "Memory is nearly used up",
    evidence: `${mib(memory.used)} of ${mib(memory.limit)} are in use and no cache; computing took ${ofTotal(stages.compute.mean, { serverMs })}, with pages of the weights read again where they were taken back`,
    change:
      "raise the memory limit, or memory: shared and fewer instances in model.yaml, or a smaller precision (sconce quantize)",
  };
};
