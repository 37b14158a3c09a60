import type { Pipeline } from "../../base/pipeline.ts";
import type { RunSettings } from "../../base/run-settings.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import type { PipelinePlan } from "./pipeline-plan.ts";

/** What a pipeline needs to know of a step's model, also while it is not in memory. */
export type StepFacts = Pick<ServedModelHandle, "version" | "description" | "settings">;

/** What only the pipeline's own files say. */
export interface OwnFacts {
  readonly pipeline: Pipeline;
  /** Undefined: as many as its steps take. */
  readonly maxBatchSize: number | undefined;
  readonly loadTimeoutMs: number;
}

type Labels = NonNullable<RunSettings["labels"]>;

/** How a pipeline is set up, for those who ask: of its steps whichever allows least. */
export function pipelineSettings(
  { pipeline, maxBatchSize, loadTimeoutMs }: OwnFacts,
  facts: readonly StepFacts[],
  labels: Labels | undefined,
): RunSettings {
  const settings = facts.map((fact) => fact.settings);
  const least = (read: (of: RunSettings) => number): number => Math.min(...settings.map(read));
  const first = settings[0]!;
  return {
    maxBatchSize: maxBatchSize ?? least((of) => of.maxBatchSize),
    maxQueueDelayMs: 0,
    preferredBatchSizes: [],
    priorityLevels: Math.max(...settings.map((of) => of.priorityLevels)),
    defaultPriority: first.defaultPriority,
    instances: 0,
    executionTimeoutMs: settings.reduce((sum, of) => sum + of.executionTimeoutMs, 0),
    loadTimeoutMs,
    maxQueueSize: least((of) => of.maxQueueSize),
    labels,
    cached: false,
    steps: pipeline.steps.map((step, i) => ({
      model: step.model,
      version: step.version,
      inputs: step.inputs ?? ownNames(facts[i]!.description.signature.inputs),
      outputs: step.outputs ?? ownNames(facts[i]!.description.signature.outputs),
    })),
  };
}

/** Names of classes by the pipeline's outputs: its own before those of the step that gives one. */
export function pipelineLabels(
  { steps, signature, outputPlaces }: PipelinePlan,
  facts: readonly StepFacts[],
  own: Labels | undefined,
): Labels | undefined {
  const labels = new Map<string, readonly string[]>(own);
  for (const [i, { name }] of signature.outputs.entries()) {
    if (labels.has(name) || labels.has("")) continue;
    const place = outputPlaces[i]!;
    const step = steps.findIndex(({ places }) => places.includes(place));
    const port = steps[step]!.outputs[steps[step]!.places.indexOf(place)]!;
    const known = facts[step]!.settings.labels;
    const found = known?.get(port) ?? known?.get("");
    if (found !== undefined) labels.set(name, found);
  }
  return labels.size === 0 ? undefined : labels;
}

function ownNames(specs: readonly { readonly name: string }[]): ReadonlyMap<string, string> {
  return new Map(specs.map(({ name }) => [name, name]));
}
