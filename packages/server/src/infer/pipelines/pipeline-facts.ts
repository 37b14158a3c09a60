import type { ModelDescription } from "../../base/model-description.ts";
import type { Pipeline } from "../../base/pipeline.ts";
import type { RunSettings } from "../../base/run-settings.ts";
import type { Signature } from "../../base/signature.ts";
import type { ServedModelHandle, StatelessModel } from "../../models/served-model-handle.ts";
import type { PipelinePlan } from "./pipeline-plan.ts";

/** What a pipeline needs to know of a step's model, also while it is not in memory. */
export interface StepFacts extends Pick<ServedModelHandle, "version" | "description" | "settings"> {
  /** Undefined: it has no state that a pipeline can keep. */
  readonly stateless?: Pick<StatelessModel, "kept" | "limits"> & { readonly signature: Signature };
}

/** What only the pipeline's own files say. */
export interface OwnFacts {
  readonly pipeline: Pipeline;
  /** Undefined: as many as its steps take. */
  readonly maxBatchSize: number | undefined;
  readonly loadTimeoutMs: number;
}

type Labels = NonNullable<RunSettings["labels"]>;

/** Of a model, alone, so that nothing of one that is gone is kept. */
export function factsOf(model: ServedModelHandle | undefined): StepFacts | undefined {
  if (model === undefined) return undefined;
  const { version, description, settings, stateless } = model;
  if (stateless === undefined) return { version, description, settings };
  const { kept, limits } = stateless;
  const { signature } = stateless.model.description;
  return { version, description, settings, stateless: { signature, kept, limits } };
}

/** What a pipeline of these models is. */
export function describePipeline(
  signature: Signature,
  facts: readonly StepFacts[],
  warnings: readonly string[] = [],
): ModelDescription {
  const names = facts.length === 1 ? "1 step" : `${facts.length} steps`;
  return {
    signature,
    platform: "ensemble",
    runtime: "pipeline",
    runtimeReason: `a pipeline of ${names}, each run by its own model`,
    parameterCount: 0,
    weightBytes: 0,
    digest: facts.map(({ description }) => description.digest).join("+"),
    warnings,
    loadMs: {},
  };
}

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

/** Each port as the tensor of its own name. */
export function ownNames(specs: readonly { readonly name: string }[]): ReadonlyMap<string, string> {
  return new Map(specs.map(({ name }) => [name, name]));
}
