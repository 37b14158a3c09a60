import type { Evidence } from "./evidence.ts";
import type { Finding, Rule } from "./finding.ts";
import { computeBound, crowded, deadWorkers, lateLoop, throttled, tooManyThreads } from "./machine-rules.ts";
import { batchingOff, batchLimit, fixedBatch, queueDelay, queueSaturated } from "./queue-rules.ts";
import { slowestStep } from "./step-rules.ts";
import { largeJson, outsideServer, slowBodies } from "./wire-rules.ts";

const RULES: readonly Rule[] = [
  queueDelay,
  fixedBatch,
  batchingOff,
  batchLimit,
  queueSaturated,
  largeJson,
  slowBodies,
  outsideServer,
  tooManyThreads,
  throttled,
  crowded,
  lateLoop,
  deadWorkers,
  computeBound,
];

/** A pipeline has no queue and no workers: what there is to say of those, its steps' models say. */
const PIPELINE_RULES: readonly Rule[] = [
  slowestStep,
  largeJson,
  slowBodies,
  outsideServer,
  crowded,
  lateLoop,
];

function rulesFor({ steps }: Evidence): readonly Rule[] {
  return steps.length > 0 ? PIPELINE_RULES : RULES;
}

/** All that the evidence shows, the most costly first. */
export function findingsOf(evidence: Evidence): readonly Finding[] {
  if (evidence.answered === 0) return [];
  return rulesFor(evidence)
    .map((rule) => rule(evidence))
    .filter((finding) => finding !== undefined)
    .sort((a, b) => b.costMs - a.costMs);
}
