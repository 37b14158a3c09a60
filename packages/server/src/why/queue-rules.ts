import { isWorthIt, ofTotal, type Rule } from "./finding.ts";

/** Runs as full as this were held back by the largest batch that is allowed. */
const FULL_BATCH = 0.9;
/** With fewer rows a run than this, waiting for company was in vain. */
const ALONE_ROWS = 1.5;
/** A wait takes at least this share of the delay that was set: it is the delay that is waited for. */
const DELAY_SHARE = 0.5;
const DEFAULT_MAX_BATCH = 32;

/** `max_queue_delay` holds requests back, and no batch forms. */
export const queueDelay: Rule = (evidence) => {
  const { model, stages, batchRows } = evidence;
  const waited = stages.batch.mean;
  if (model.maxQueueDelayMs <= 0 || waited < DELAY_SHARE * model.maxQueueDelayMs) return undefined;
  if (batchRows.mean >= ALONE_ROWS || !isWorthIt(waited, evidence)) return undefined;
  return {
    id: "queue_delay",
    costMs: waited,
    title: "Requests wait for company that does not come",
    evidence: `max_queue_delay is ${model.maxQueueDelayMs} ms, requests spent ${ofTotal(waited, evidence)} waiting beside an idle instance, and runs had ${batchRows.mean.toFixed(1)} rows`,
    change: "max_queue_delay: 0   # in model.yaml: batches still form while an instance is busy",
    remedy: { kind: "options", flags: { "--max-queue-delay": "0" } },
  };
};

/** Runs that hold so few requests share nothing. */
const SHARED_REQUESTS = 1.5;

/** Requests queue, runs could be shared, and are not: their shapes differ. */
export const shapesDiffer: Rule = (evidence) => {
  const { model, stages, batchRows, answered, padding } = evidence;
  const waited = stages.queue.mean;
  if (!model.isBatching || model.maxBatchSize < 2 || !isWorthIt(waited, evidence)) return undefined;
  if (batchRows.count === 0 || answered / batchRows.count >= SHARED_REQUESTS || padding.content > 0)
    return undefined;
  const varying = model.signature.inputs.find(({ dims }) =>
    dims.slice(1).some((dim) => typeof dim !== "number"),
  );
  if (varying === undefined || batchRows.mean >= FULL_BATCH * model.maxBatchSize) return undefined;
  const axis = varying.dims.findIndex((dim, i) => i > 0 && typeof dim !== "number");
  return {
    id: "shapes_differ",
    costMs: waited,
    title: "Requests wait and do not share runs, because their shapes differ",
    evidence: `requests waited ${ofTotal(waited, evidence)} for their turn, and a run held ${(answered / batchRows.count).toFixed(1)} of them; dimension ${axis} of input ${JSON.stringify(varying.name)} is what each request says`,
    change:
      "pad_symbol: NAME   # in model.yaml, the dimension's name in sconce inspect, for a model that takes a mask; or have clients send one of a few sizes",
  };
};

/** So much of what is computed is padding. */
const WASTED = 0.4;
/** Sizes up to twice the usual one, in steps of an eighth of it. */
const STEPS = 8;

/** Requests are padded to sizes that are far from theirs. */
export const paddingWaste: Rule = (evidence) => {
  const { content, padding, meanSize } = evidence.padding;
  const share = padding / Math.max(1, content + padding);
  const { compute, transfer } = evidence.stages;
  // It travels to the worker as well.
  const cost = (compute.mean + transfer.mean) * share;
  if (share < WASTED || !isWorthIt(cost, evidence)) return undefined;
  const step = Math.max(1, Math.ceil(meanSize / STEPS));
  const buckets = Array.from({ length: 2 * STEPS }, (_, i) => step * (i + 1));
  return {
    id: "padding_waste",
    costMs: cost,
    title: "Much of what is computed is padding",
    evidence: `requests fill ${meanSize.toFixed(0)} of ${(((content + padding) / Math.max(1, content)) * meanSize).toFixed(0)} positions of the padded dimension on average: ${Math.round(share * 100)} % of a run is padding`,
    change: `pad_buckets: [${buckets.join(", ")}]   # in model.yaml`,
    remedy: { kind: "options", flags: { "--pad-buckets": buckets.join(",") } },
  };
};

/** Requests queue, and the file fixes how many rows a run has. */
export const fixedBatch: Rule = (evidence) => {
  const { model, stages } = evidence;
  const waited = stages.queue.mean;
  if (model.isBatching || !isWorthIt(waited, evidence)) return undefined;
  const fixed = model.signature.inputs.find(({ dims }) => typeof dims[0] === "number");
  if (fixed === undefined) return undefined;
  return {
    id: "batch_fixed",
    costMs: waited,
    title: "Requests run one by one, because the export fixed the batch",
    evidence: `requests waited ${ofTotal(waited, evidence)} for their turn, and dimension 0 of input ${JSON.stringify(fixed.name)} is always ${String(fixed.dims[0])}`,
    change:
      'export with a variable batch: torch.export.export(model, args, dynamic_shapes={"' +
      `${fixed.name}": {0: torch.export.Dim("batch")}})`,
  };
};

/** Requests queue, and sharing runs is switched off, or the signature does not allow it. */
export const batchingOff: Rule = (evidence) => {
  const { model, stages } = evidence;
  const waited = stages.queue.mean;
  const isFixed = model.signature.inputs.some(({ dims }) => typeof dims[0] === "number");
  if (model.isBatching || isFixed || !isWorthIt(waited, evidence)) return undefined;
  return {
    id: "batching_off",
    costMs: waited,
    title: "Requests run one by one, because batching is off",
    evidence: `requests waited ${ofTotal(waited, evidence)} for their turn, and the server's configuration of the model says max_batch_size 0`,
    change:
      "batching: true and max_batch_size: 32   # in model.yaml; sconce inspect FILE says why, if the file forbids it",
    remedy: {
      kind: "options",
      flags: { "--batching": "true", "--max-batch-size": String(DEFAULT_MAX_BATCH) },
    },
  };
};

/** Requests queue behind runs that are as large as they may be. */
export const batchLimit: Rule = (evidence) => {
  const { model, stages, batchRows } = evidence;
  const waited = stages.queue.mean;
  if (!model.isBatching || model.maxBatchSize >= DEFAULT_MAX_BATCH || !isWorthIt(waited, evidence))
    return undefined;
  if (batchRows.mean < FULL_BATCH * model.maxBatchSize) return undefined;
  return {
    id: "batch_limit",
    costMs: waited,
    title: "Requests queue behind batches that are full",
    evidence: `requests waited ${ofTotal(waited, evidence)} for their turn, and runs had ${batchRows.mean.toFixed(1)} rows of at most ${model.maxBatchSize}`,
    change: `max_batch_size: ${DEFAULT_MAX_BATCH}   # in model.yaml`,
    remedy: { kind: "options", flags: { "--max-batch-size": String(DEFAULT_MAX_BATCH) } },
  };
};

/** Requests queue although runs are shared as far as they may be: the instances do not keep up. */
export const queueSaturated: Rule = (evidence) => {
  const { model, stages, machine, rejections, threads } = evidence;
  const waited = stages.queue.mean;
  if (!isWorthIt(waited, evidence)) return undefined;
  const reason =
    fixedBatch(evidence) ?? batchingOff(evidence) ?? batchLimit(evidence) ?? shapesDiffer(evidence);
  if (reason !== undefined) return undefined;
  const full = rejections["queue_full"] ?? 0;
  const refused = full > 0 ? `, and ${full} requests found the queue full` : "";
  // Instances share the processors out among them unless their threads are fixed.
  const isFree = machine !== undefined && (model.instances + 1) * (threads ?? 1) <= machine.cores;
  return {
    id: "queue_saturated",
    costMs: waited,
    title: "Requests queue: more arrive than the instances can run",
    evidence: `requests waited ${ofTotal(waited, evidence)} for one of ${model.instances} instances${refused}`,
    change: isFree
      ? `instances: ${model.instances + 1}   # in model.yaml; with threads: auto, instances share the ${machine.cores} processors`
      : "no processor is left for more instances: a smaller precision (sconce quantize), fewer requests, or a larger machine",
    ...(isFree && {
      remedy: { kind: "options" as const, flags: { "--instances": String(model.instances + 1) } },
    }),
  };
};
