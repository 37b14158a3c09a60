import { isWorthIt, ofTotal, type Rule } from "./finding.ts";

/** Of a pipeline: the step that takes the most of its time. */
export const slowestStep: Rule = (evidence) => {
  const [slowest] = evidence.steps.toSorted((a, b) => b.took.mean - a.took.mean);
  if (slowest === undefined || !isWorthIt(slowest.took.mean, evidence)) return undefined;
  const { name, took } = slowest;
  const others = evidence.steps.filter((step) => step !== slowest);
  const text = others.map((step) => `${step.name} ${step.took.mean.toFixed(2)} ms`).join(", ");
  return {
    id: "slowest_step",
    costMs: took.mean,
    title: `Most of the time goes into the step ${name}`,
    evidence: `it takes ${ofTotal(took.mean, evidence)}, of which its model's queue has a part${text === "" ? "" : `; the others: ${text}`}`,
    change: "sconce why of that step's model: it is the one that instances, batching or a faster model help",
  };
};
