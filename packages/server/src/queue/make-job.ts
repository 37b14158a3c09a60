import type { InferRequest } from "../base/infer-request.ts";
import { type BatchPlan, inputsInOrder, rowsOf, shapeKeyOf, wantedOutputs } from "./batch-plan.ts";
import { Job } from "./job.ts";
import type { QueueConfig } from "./queue-config.ts";
import { splitIntoPieces } from "./split.ts";

/** Everything the scheduler works out about a request, once. Throws `invalid_argument` when its names do not fit the signature. */
export function makeJob(
  plan: BatchPlan,
  config: QueueConfig,
  options: { readonly request: InferRequest; readonly tenant: string; readonly nowMs: number },
): Job {
  const { request, tenant, nowMs } = options;
  const inputs = inputsInOrder(plan, request.inputs);
  let bytes = 0;
  for (let i = 0; i < inputs.length; i++) bytes += inputs[i]!.bytes.length;
  const job = new Job({
    request,
    inputs,
    rows: rowsOf(plan, inputs),
    bytes,
    tenant,
    level: levelOf(config, request.priority),
    shapeKey: shapeKeyOf(plan, inputs),
    wanted: wantedOutputs(plan, request),
  });
  job.queuedMs = nowMs;
  job.expiresMs = job.deadlineMs;
  if (config.queueTimeoutMs !== undefined)
    job.expiresMs = Math.min(job.expiresMs, nowMs + config.queueTimeoutMs);
  splitIntoPieces(plan, job);
  return job;
}

/** Triton's rule: 0 and what lies above the lowest priority mean the default. */
function levelOf(config: QueueConfig, priority: number): number {
  const isKnown = priority >= 1 && priority <= config.priorityLevels;
  return (isKnown ? priority : config.defaultPriority) - 1;
}
