import { isDeepStrictEqual } from "node:util";
import type { InitialState, KeptState, SequenceLimits } from "../../base/kept-state.ts";
import type { Pipeline, PipelineStep } from "../../base/pipeline.ts";
import type { Dim, Signature, TensorSpec } from "../../base/signature.ts";
import { type ControlPlan, compileControls } from "../sequences/sequence-controls.ts";
import { compileStatePlan, type StatePlan } from "../sequences/state-plan.ts";
import { tensorIndex } from "../tensor-index.ts";
import { misfit } from "./bind-steps.ts";
import { ownNames, type StepFacts } from "./pipeline-facts.ts";
import { compilePipeline, type PipelinePlan } from "./pipeline-plan.ts";

/** What a pipeline keeps for all of its steps together between the requests of a sequence. */
export interface PipelineState {
  readonly plan: StatePlan;
  readonly controls: ControlPlan | undefined;
  /** What the plan was made of. */
  readonly kept: KeptState;
  /** Whatever allows least. */
  readonly limits: SequenceLimits;
  /** Of the steps' models; undefined: of one with a state it is not known. */
  readonly digest: string | undefined;
}

/** Whether what was kept with the one can be read with the other: the same models are there again. */
export function isSameState(a: PipelineState | undefined, b: PipelineState | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const { digest } = a;
  return digest !== undefined && digest === b.digest && isDeepStrictEqual(a, b);
}

/** A step's model without its state, and what the state's ports are called in the pipeline, by the model's names. */
interface StatefulStep {
  readonly step: PipelineStep;
  readonly signature: Signature;
  readonly kept: KeptState;
  readonly limits: SequenceLimits;
  /** From other requests, or from what a request says of its sequence. */
  readonly inputs: ReadonlyMap<string, string>;
  readonly outputs: ReadonlyMap<string, string>;
}

/**
 * The pipeline with the states of its steps as inputs and outputs of its own, so that one request reads and writes all of them or none. `outer`: as clients see it.
 * Undefined: no step has a state. Throws `invalid_argument`/`invalid_config` when nothing says how large a state is at the beginning.
 */
export function compilePipelineState(
  pipeline: Pipeline,
  facts: readonly StepFacts[],
  outer: PipelinePlan,
): { readonly plan: PipelinePlan; readonly state: PipelineState } | undefined {
  const stateful = statefulSteps(pipeline, facts);
  if (stateful.size === 0) return undefined;
  const steps = pipeline.steps.map((step, i) => withState(step, facts[i]!, stateful.get(i)));
  const all = [...stateful.values()];
  const inputs = [...namesOf(outer.signature.inputs), ...all.flatMap((one) => [...one.inputs.values()])];
  const outputs = [...namesOf(outer.signature.outputs), ...all.flatMap((one) => [...one.outputs.values()])];
  const signatures = facts.map(({ description, stateless }) => stateless?.signature ?? description.signature);
  const plan = compilePipeline({ steps, inputs, outputs }, signatures);
  const kept = joinedState(all, (one) =>
    dimsOf(one, steps[pipeline.steps.indexOf(one.step)]!, plan.signature),
  );
  const controls = kept.controls.length === 0 ? undefined : compileControls(plan.signature, kept.controls);
  const statePlan = compileStatePlan(controls?.others ?? plan.signature, kept.pairs, kept.initial);
  const least = (read: (of: SequenceLimits) => number): number =>
    Math.min(...all.map(({ limits }) => read(limits)));
  return {
    plan,
    state: {
      plan: { ...statePlan, outer: outer.signature },
      controls,
      kept,
      limits: {
        idleMs: least((of) => of.idleMs),
        maxSequences: least((of) => of.maxSequences),
        maxBytes: least((of) => of.maxBytes),
      },
      digest: digestOf(facts),
    },
  };
}

function digestOf(facts: readonly StepFacts[]): string | undefined {
  const isUnknown = facts.some(({ stateless, description }) => stateless && description.digest === "");
  return isUnknown ? undefined : facts.map(({ description }) => description.digest).join("+");
}

/** By place. */
function statefulSteps(pipeline: Pipeline, facts: readonly StepFacts[]): ReadonlyMap<number, StatefulStep> {
  const taken = new Set(pipeline.steps.flatMap((step, i) => tensorsOf(step, facts[i]!)));
  const found = new Map<number, StatefulStep>();
  for (const [i, { stateless, settings }] of facts.entries()) {
    const step = pipeline.steps[i]!;
    if (stateless === undefined) {
      if (settings.sequences === undefined) continue;
      throw misfit(
        `step "${step.name}": its handler keeps the state of each sequence itself, which a pipeline cannot carry: call that model by itself`,
      );
    }
    const { signature, kept, limits } = stateless;
    const named = (specs: readonly TensorSpec[], ports: readonly string[]): ReadonlyMap<string, string> =>
      new Map(ports.map((port) => [specOf(specs, port).name, freeName(`${step.name}.${port}`, taken)]));
    const inputs = [...kept.pairs, ...kept.controls].map(({ input }) => input);
    found.set(i, {
      step,
      signature,
      kept,
      limits,
      inputs: named(signature.inputs, inputs),
      outputs: named(
        signature.outputs,
        kept.pairs.map(({ output }) => output),
      ),
    });
  }
  return found;
}

/** All states by the pipeline's names. `sizesOf`: what a step's symbols are in the pipeline. */
function joinedState(
  all: readonly StatefulStep[],
  sizesOf: (one: StatefulStep) => (symbol: string) => number | string,
): KeptState {
  const initial = new Map<string, InitialState>();
  const inputOf = ({ signature, inputs }: StatefulStep, port: string): string =>
    inputs.get(specOf(signature.inputs, port).name)!;
  for (const one of all) {
    const sizeOf = sizesOf(one);
    for (const [port, start] of one.kept.initial) {
      const dims = "dims" in start && start.dims.map((dim) => (typeof dim === "number" ? dim : sizeOf(dim)));
      initial.set(inputOf(one, port), dims === false ? start : { dims });
    }
  }
  return {
    pairs: all.flatMap((one) =>
      one.kept.pairs.map(({ input, output }) => ({
        input: inputOf(one, input),
        output: one.outputs.get(specOf(one.signature.outputs, output).name)!,
      })),
    ),
    initial,
    controls: all.flatMap((one) =>
      one.kept.controls.map((control) => ({ ...control, input: inputOf(one, control.input) })),
    ),
  };
}

/** What a symbol of a step's model is called in the pipeline, whose own tensors have names of their own for sizes. */
function dimsOf(
  { signature, step }: StatefulStep,
  { inputs, outputs }: PipelineStep,
  joined: Signature,
): (symbol: string) => number | string {
  const known = new Map<string, Dim>();
  const learn = (
    specs: readonly TensorSpec[],
    ports: ReadonlyMap<string, string> | undefined,
    tensors: readonly TensorSpec[],
  ): void => {
    const [own, others] = [tensorIndex(specs), tensorIndex(tensors)];
    for (const [port, tensor] of ports ?? []) {
      const there = tensors[others.get(tensor) ?? -1];
      if (there === undefined) continue;
      for (const [axis, dim] of specs[own.get(port)!]!.dims.entries())
        if (typeof dim !== "number" && there.dims[axis] !== undefined)
          known.set(dim.symbol, there.dims[axis]);
    }
  };
  learn(signature.outputs, outputs, joined.outputs);
  learn(signature.inputs, inputs, joined.inputs);
  return (symbol) => {
    const dim = known.get(symbol);
    if (dim !== undefined) return typeof dim === "number" ? dim : dim.symbol;
    throw misfit(
      `step "${step.name}": nothing that requests bring says how large ${symbol} of its state is at the beginning: give a number in initial_state`,
    );
  };
}

function withState(
  step: PipelineStep,
  { description }: StepFacts,
  one: StatefulStep | undefined,
): PipelineStep {
  if (one === undefined) return step;
  const { inputs, outputs } = description.signature;
  return {
    ...step,
    inputs: new Map([...(step.inputs ?? ownNames(inputs)), ...one.inputs]),
    outputs: new Map([...(step.outputs ?? ownNames(outputs)), ...one.outputs]),
  };
}

function tensorsOf({ inputs, outputs }: PipelineStep, { description: { signature } }: StepFacts): string[] {
  return [
    ...(inputs ?? ownNames(signature.inputs)).values(),
    ...(outputs ?? ownNames(signature.outputs)).values(),
  ];
}

/** No tensor of the pipeline's own is called so. */
function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  while (taken.has(name)) name += "′";
  taken.add(name);
  return name;
}

/** By a name that was checked when the model was loaded. */
function specOf(specs: readonly TensorSpec[], port: string): TensorSpec {
  return specs[tensorIndex(specs).get(port)!]!;
}

function namesOf(specs: readonly TensorSpec[]): string[] {
  return specs.map(({ name }) => name);
}
