import type { DeclaredPorts } from "../../base/declared-ports.ts";
import { ServeError } from "../../base/errors.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import type { RunSettings } from "../../base/run-settings.ts";
import type { Batching, Signature } from "../../base/signature.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import {
  describePipeline,
  factsOf,
  type OwnFacts,
  pipelineLabels,
  pipelineSettings,
  type StepFacts,
} from "./pipeline-facts.ts";
import { compilePipeline, type PipelinePlan } from "./pipeline-plan.ts";
import { compilePipelineState, type PipelineState } from "./pipeline-state.ts";
import type { StepModels } from "./step-models.ts";

/** What makes a pipeline, beside the models of its steps. */
export interface FollowedStepsOptions extends OwnFacts {
  /** What the settings of another server say of its inputs and outputs. */
  readonly ports: DeclaredPorts | undefined;
  readonly models: StepModels;
  /** Of each step the model that is known already; undefined: nothing is. */
  readonly known: readonly (ServedModelHandle | undefined)[];
  /** The names of classes that its own files say. Throws when they do not fit. */
  labelsOf(signature: Signature): RunSettings["labels"];
}

/** A pipeline that fits together, made for the models that its steps had. */
export interface CompiledPipeline {
  readonly plan: PipelinePlan;
  readonly description: ModelDescription;
  readonly settings: RunSettings;
  /** Undefined: no step has one. */
  readonly state: PipelineState | undefined;
  /** As clients see it. */
  readonly batching: Batching;
}

/** The models of a pipeline's steps as they come and go, and the pipeline that they make. */
export class FollowedSteps {
  /** What does not fit, as far as the models that are in memory say it. */
  problem: ServeError | undefined;
  /** Why no request can be answered now. */
  failure: string | undefined;
  /** Undefined: they do not make one. */
  compiled: CompiledPipeline | undefined;
  readonly #options: FollowedStepsOptions;
  /** Of each step's model, when it was last in memory. */
  readonly #facts: (StepFacts | undefined)[];

  constructor(options: FollowedStepsOptions) {
    this.#options = options;
    this.#facts = options.pipeline.steps.map((_, i) => factsOf(options.known[i]));
    this.refresh();
  }

  /** Looks what there is now. */
  refresh(): void {
    this.problem = undefined;
    this.failure = undefined;
    const isChanged = this.#look() || this.compiled === undefined;
    if (this.failure !== undefined || !isChanged) return;
    try {
      // No facts are missing, or there would be a failure.
      this.compiled = compile(this.#options, this.#facts as readonly StepFacts[]);
    } catch (error) {
      this.problem = ServeError.from(error);
      this.compiled = undefined;
      this.failure = this.problem.message;
    }
  }

  /** Whether a model is another one than before. */
  #look(): boolean {
    const { pipeline, models } = this.#options;
    let isChanged = false;
    for (const [i, { model, version, name }] of pipeline.steps.entries()) {
      const handle = models.find(model, version);
      if (handle === undefined) {
        if (this.#facts[i] === undefined || !models.isReady(model, version))
          this.failure ??= `step "${name}": ${models.whyNot(model, version)}`;
        continue;
      }
      isChanged ||= this.#facts[i]?.description !== handle.description;
      this.#facts[i] = factsOf(handle);
    }
    return isChanged;
  }
}

function compile(options: FollowedStepsOptions, facts: readonly StepFacts[]): CompiledPipeline {
  const { pipeline, ports, labelsOf } = options;
  const signatures = facts.map(({ description }) => description.signature);
  const outer = compilePipeline(pipeline, signatures, ports);
  const labels = pipelineLabels(outer, facts, labelsOf(outer.signature));
  const stateful = compilePipelineState(pipeline, facts, outer);
  const plan = stateful?.plan ?? outer;
  return {
    plan,
    description: describePipeline(plan.signature, facts, plan.warnings),
    settings: pipelineSettings(options, facts, labels),
    state: stateful?.state,
    batching: outer.signature.batching,
  };
}
