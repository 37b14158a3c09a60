import { isShared, isWorthIt, LEAST_MS, ofTotal, type Rule, STOLEN } from "./finding.ts";
import { noWarmUp } from "./life-rules.ts";

/** A quota that runs out in this share of its periods holds runs up. */
const THROTTLED = 0.1;
/** 99th percentile; single late turns are no pattern. */
const LATE_LOOP_MS = 20;
/** Compute below this is fast already. */
const SLOW_COMPUTE_MS = 5;
const COMPUTE_SHARE = 0.6;

/** Instances and threads want more processors than there are. */
export const tooManyThreads: Rule = (evidence) => {
  const { machine, threads, model, stages } = evidence;
  if (machine === undefined || threads === undefined) return undefined;
  const wanted = threads * model.instances;
  if (wanted <= machine.cores) return undefined;
  return {
    id: "too_many_threads",
    costMs: stages.compute.mean * (1 - machine.cores / wanted) + stages.transfer.mean,
    title: "More threads compute than there are processors",
    evidence: `${model.instances} instances × ${threads} threads share ${machine.cores} processors; computing took ${ofTotal(stages.compute.mean, evidence)}, the way to the worker and back ${stages.transfer.mean.toFixed(2)}`,
    change: "threads: auto   # in model.yaml: instances × threads ≤ processors",
    remedy: { kind: "options", flags: { "--threads": "auto" } },
  };
};

/** An instance computes with fewer threads than there are processors for it. */
export const tooFewThreads: Rule = (evidence) => {
  const { machine, threads, model, stages } = evidence;
  if (machine === undefined || threads === undefined || isShared(machine)) return undefined;
  const wanted = threads * model.instances;
  const idle = stages.compute.mean * (1 - wanted / machine.cores);
  if (stages.compute.mean < SLOW_COMPUTE_MS || idle <= 0 || !isWorthIt(idle, evidence)) return undefined;
  return {
    id: "too_few_threads",
    costMs: idle,
    title: "Processors are idle while the model computes",
    evidence: `${model.instances} instances × ${threads} threads leave ${machine.cores - wanted} of ${machine.cores} processors idle; computing took ${ofTotal(stages.compute.mean, evidence)}`,
    change: "threads: auto   # in model.yaml; or more instances, when requests queue",
    remedy: { kind: "options", flags: { "--threads": "auto" } },
  };
};

/** The hypervisor gives the processors to others. */
export const stolen: Rule = (evidence) => {
  const share = evidence.machine?.stealShare ?? 0;
  if (share < STOLEN) return undefined;
  return {
    id: "noisy_neighbour",
    costMs: evidence.serverMs * share,
    title: "Another virtual machine has the processors",
    evidence: `${Math.round(share * 100)} % of the processors' time was stolen by the hypervisor`,
    change: "a machine with processors of its own (dedicated, not burstable), or one with fewer neighbours",
  };
};

/** The cgroup's CPU quota runs out. */
export const throttled: Rule = (evidence) => {
  const share = evidence.machine?.throttledShare ?? 0;
  if (share < THROTTLED) return undefined;
  return {
    id: "cpu_throttled",
    costMs: evidence.serverMs * share,
    title: "The CPU quota runs out",
    evidence: `the container was stopped in ${Math.round(share * 100)} % of its quota's periods`,
    change:
      "raise the CPU limit, or set threads: N and instances: N in model.yaml so that their product is the limit",
  };
};

/** Others have the processors. */
export const crowded: Rule = (evidence) => {
  const { machine, stages } = evidence;
  if (machine === undefined || !isShared(machine)) return undefined;
  const waited = stages.transfer.mean;
  if (!isWorthIt(waited, evidence)) return undefined;
  return {
    id: "machine_busy",
    costMs: waited,
    title: "The machine is busy with other things",
    evidence: `load ${machine.load.toFixed(1)} on ${machine.cores} processors, ${Math.round(machine.stealShare * 100)} % stolen; the way to the worker and back took ${ofTotal(waited, evidence)}`,
    change: "give the server processors of its own, or stop what else runs",
  };
};

/** The server's event loop is late, and it is not that others have the processors. */
export const lateLoop: Rule = (evidence) => {
  const { loopLate, machine } = evidence;
  if (isShared(machine)) return undefined;
  if (loopLate.p99 < LATE_LOOP_MS || loopLate.mean < LEAST_MS) return undefined;
  return {
    id: "event_loop_late",
    costMs: loopLate.mean,
    title: "The server's event loop is late",
    evidence: `events waited ${loopLate.mean.toFixed(1)} ms on average and ${loopLate.p99.toFixed(0)} ms at the 99th percentile`,
    change:
      "send tensors as bytes instead of JSON, split very large requests, and leave the server process a processor",
  };
};

/** Workers died under requests. */
export const deadWorkers: Rule = ({ reruns }) => {
  if (reruns <= 0) return undefined;
  return {
    id: "runs_repeated",
    costMs: 0,
    title: "Runs failed and were repeated",
    evidence: `${reruns} requests were run again after a failure beside or under them`,
    change: "look for the worker's last lines in the server's log",
  };
};

/** PyTorch computes what ONNX Runtime could. */
export const leftOnPython: Rule = (evidence) => {
  const { stages, model } = evidence;
  // What only first runs take, warming up helps.
  const cold = noWarmUp(evidence)?.costMs ?? 0;
  const compute = stages.compute.mean - cold + stages.transfer.mean;
  if (model.runtime !== "python" || !isWorthIt(compute, evidence)) return undefined;
  const isProgram = PROGRAMS.test(model.platform);
  return {
    id: "left_on_python",
    costMs: compute,
    title: "PyTorch runs the model, in a Python worker",
    evidence: `computing, and the way to Python and back, took ${ofTotal(compute, evidence)}`,
    change: isProgram
      ? "runtime: onnx   # in model.yaml, if the program can be translated: sconce inspect FILE says what keeps it from that"
      : "export the model (torch.export.save of torch.export.export(model, args)): ONNX Runtime, which then runs it, is usually faster on a CPU",
    ...(isProgram && { remedy: { kind: "options" as const, flags: { "--runtime": "onnx" } } }),
  };
};

/** Platforms of files that hold a program, beside Python's classes. */
const PROGRAMS = /pt2|torchscript|export/i;

/** The model itself is what takes the time, and nothing stands in its way. */
export const computeBound: Rule = (evidence) => {
  const { stages, model } = evidence;
  const compute = stages.compute.mean;
  if (compute < SLOW_COMPUTE_MS || compute < COMPUTE_SHARE * evidence.serverMs) return undefined;
  if (model.runtime === "python") return undefined;
  if (tooManyThreads(evidence) ?? tooFewThreads(evidence) ?? throttled(evidence) ?? noWarmUp(evidence))
    return undefined;
  return {
    id: "compute_bound",
    costMs: compute,
    title: "The model's own computing takes the time",
    evidence: `computing took ${ofTotal(compute, evidence)}`,
    change:
      "fewer bits, if the answers stay good enough: sconce quantize FILE --int8 -o OUT.onnx says what it changes (docs/optimise.md); sconce profile FILE says which modules it is",
    remedy: { kind: "options", flags: { "--precision": "int8" } },
  };
};
