import { connectionPerRequest, costlyCompression, largeOutputs, oneAtATime } from "./client-rules.ts";
import type { Evidence } from "./evidence.ts";
import type { Finding, Rule } from "./finding.ts";
import { besidesLoad, coldStart, memoryNearLimit, noWarmUp } from "./life-rules.ts";
import {
  computeBound,
  crowded,
  deadWorkers,
  lateLoop,
  leftOnPython,
  stolen,
  throttled,
  tooFewThreads,
  tooManyThreads,
} from "./machine-rules.ts";
import {
  batchingOff,
  batchLimit,
  fixedBatch,
  paddingWaste,
  queueDelay,
  queueSaturated,
  shapesDiffer,
} from "./queue-rules.ts";
import { slowestStep } from "./step-rules.ts";
import { largeJson, outsideServer, slowBodies } from "./wire-rules.ts";

const RULES: readonly Rule[] = [
  queueDelay,
  fixedBatch,
  batchingOff,
  batchLimit,
  shapesDiffer,
  queueSaturated,
  paddingWaste,
  largeJson,
  largeOutputs,
  costlyCompression,
  connectionPerRequest,
  oneAtATime,
  slowBodies,
  outsideServer,
  tooManyThreads,
  tooFewThreads,
  throttled,
  stolen,
  crowded,
  lateLoop,
  deadWorkers,
  coldStart,
  noWarmUp,
  memoryNearLimit,
  leftOnPython,
  computeBound,
];

/** A pipeline has no queue and no workers: what there is to say of those, its steps' models say. */
const PIPELINE_RULES: readonly Rule[] = [
  slowestStep,
  largeJson,
  largeOutputs,
  costlyCompression,
  connectionPerRequest,
  slowBodies,
  outsideServer,
  throttled,
  stolen,
  crowded,
  lateLoop,
];

function rulesFor({ steps }: Evidence): readonly Rule[] {
  return steps.length > 0 ? PIPELINE_RULES : RULES;
}

/** All that the evidence shows, the most costly first. */
export function findingsOf(evidence: Evidence): readonly Finding[] {
  if (evidence.answered === 0) return [];
  const besides = besidesLoad(evidence);
  return rulesFor(evidence)
    .map((rule) => rule(rule === coldStart ? evidence : besides))
    .filter((finding) => finding !== undefined)
    .sort((a, b) => b.costMs - a.costMs);
}
