import { ServeError } from "../../base/errors.ts";
import { nearestWord } from "../../base/nearest-word.ts";
import type { Pipeline, PipelineStep } from "../../base/pipeline.ts";
import type { Signature, TensorSpec } from "../../base/signature.ts";
import { tensorIndex } from "../tensor-index.ts";

/** One input or output of a step, and the tensor that it is. */
export interface Binding {
  readonly spec: TensorSpec;
  readonly tensor: string;
}

/** A step whose words are those of its model. */
export interface BoundStep {
  readonly step: PipelineStep;
  /** All of the model, in its order. */
  readonly inputs: readonly Binding[];
  /** Those that the pipeline has, in the model's order. */
  readonly outputs: readonly Binding[];
}

/** Where a tensor comes from. */
export interface Origin {
  readonly step: number;
  readonly binding: Binding;
}

/** The tensors of a pipeline and how its steps hang together. */
export interface Wiring {
  readonly steps: readonly BoundStep[];
  /** Of tensors that a step gives. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Names of the tensors that requests bring, and that answers hold. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * Finds out which tensors there are. Throws `invalid_argument`/`invalid_config` for a step that names what its model does not have, an input without a
 * tensor, a tensor that two steps give, or steps that wait for each other.
 */
export function bindSteps(pipeline: Pipeline, signatures: readonly Signature[]): Wiring {
  const steps = pipeline.steps.map((step, i) => bindStep(step, signatures[i]!));
  const origins = new Map<string, Origin>();
  for (const [index, { step, outputs }] of steps.entries()) {
    for (const binding of outputs) {
      const other = origins.get(binding.tensor);
      if (other !== undefined)
        throw misfit(
          `the steps "${steps[other.step]!.step.name}" and "${step.name}" both give the tensor "${binding.tensor}": name one of them otherwise under outputs`,
        );
      origins.set(binding.tensor, { step: index, binding });
    }
  }
  refuseRing({ steps, origins });
  const taken = new Set(steps.flatMap(({ inputs }) => inputs.map(({ tensor }) => tensor)));
  return {
    steps,
    origins,
    inputs: pipelineInputs(pipeline, { steps, origins, taken }),
    outputs: pipelineOutputs(pipeline, origins, taken),
  };
}

/** An error of a pipeline that does not fit together. */
export function misfit(message: string): ServeError {
  return new ServeError("invalid_argument", `pipeline: ${message}`, { reason: "invalid_config" });
}

function bindStep(step: PipelineStep, { inputs, outputs }: Signature): BoundStep {
  const taken = portNames(step, inputs, { map: step.inputs, kind: "input" });
  const missing = inputs.find((spec) => !taken.has(spec));
  if (missing !== undefined)
    throw misfit(
      `step "${step.name}": the input "${missing.name}" of the model "${step.model}" gets no tensor: name one under inputs`,
    );
  const given = portNames(step, outputs, { map: step.outputs, kind: "output" });
  const bound = (specs: readonly TensorSpec[], names: ReadonlyMap<TensorSpec, string>): Binding[] =>
    specs.flatMap((spec) => {
      const tensor = names.get(spec);
      return tensor === undefined ? [] : [{ spec, tensor }];
    });
  return { step, inputs: bound(inputs, taken), outputs: bound(outputs, given) };
}

/** The tensors of a model's ports, by what the step says of them. */
function portNames(
  { name, model }: PipelineStep,
  specs: readonly TensorSpec[],
  { map, kind }: { readonly map: ReadonlyMap<string, string> | undefined; readonly kind: "input" | "output" },
): ReadonlyMap<TensorSpec, string> {
  if (map === undefined) return new Map(specs.map((spec) => [spec, spec.name]));
  const index = tensorIndex(specs);
  const names = new Map<TensorSpec, string>();
  for (const [port, tensor] of map) {
    const spec = specs[index.get(port) ?? -1];
    if (spec === undefined) {
      const near = nearestWord(port, index.keys());
      const hint = near === undefined ? `it has ${listed(specs)}` : `did you mean "${near}"?`;
      throw misfit(`step "${name}": the model "${model}" has no ${kind} ${JSON.stringify(port)}; ${hint}`);
    }
    if (names.has(spec)) throw misfit(`step "${name}": the ${kind} "${spec.name}" stands there twice`);
    names.set(spec, tensor);
  }
  return names;
}

function listed(specs: readonly TensorSpec[]): string {
  return specs.length === 0 ? "none" : specs.map((spec) => `"${spec.name}"`).join(", ");
}

function pipelineInputs(
  { inputs: declared }: Pipeline,
  { steps, origins, taken }: Pick<Wiring, "steps" | "origins"> & { readonly taken: ReadonlySet<string> },
): readonly string[] {
  const open = [...taken].filter((tensor) => !origins.has(tensor));
  if (declared === undefined) {
    if (open.length === 0) throw misfit("every tensor comes from a step, so that requests would bring none");
    return open;
  }
  for (const name of declared) {
    const origin = origins.get(name);
    if (origin !== undefined)
      throw misfit(
        `"${name}" is an input of the pipeline, and the step "${steps[origin.step]!.step.name}" gives it, too`,
      );
    if (!taken.has(name)) throw misfit(`no step takes the input "${name}"`);
  }
  const stray = open.find((tensor) => !declared.includes(tensor));
  if (stray === undefined) return declared;
  const user = steps.find(({ inputs }) => inputs.some(({ tensor }) => tensor === stray))!;
  const near = nearestWord(stray, [...origins.keys(), ...declared]);
  const hint = near === undefined ? "" : `; did you mean "${near}"?`;
  throw misfit(
    `step "${user.step.name}": the tensor "${stray}" comes from no step and is no input of the pipeline${hint}`,
  );
}

function pipelineOutputs(
  { outputs: declared }: Pipeline,
  origins: Wiring["origins"],
  taken: ReadonlySet<string>,
): readonly string[] {
  if (declared === undefined) {
    const left = [...origins.keys()].filter((tensor) => !taken.has(tensor));
    if (left.length === 0)
      throw misfit(
        "every tensor goes into another step, so that answers would hold none: list some as outputs",
      );
    return left;
  }
  const missing = declared.find((tensor) => !origins.has(tensor));
  if (missing === undefined) return declared;
  const near = nearestWord(missing, origins.keys());
  const hint = near === undefined ? "" : `; did you mean "${near}"?`;
  throw misfit(`no step gives the output "${missing}"${hint}`);
}

/** The steps whose tensors each step takes, in the order of its inputs, none twice. */
export function stepsBefore({
  steps,
  origins,
}: Pick<Wiring, "steps" | "origins">): readonly (readonly number[])[] {
  return steps.map(({ inputs }) => {
    const before = inputs.flatMap(({ tensor }) => origins.get(tensor)?.step ?? []);
    return [...new Set(before)];
  });
}

/** Throws when steps wait for each other, and names them. */
function refuseRing(wiring: Pick<Wiring, "steps" | "origins">): void {
  const before = stepsBefore(wiring);
  const done = new Set<number>();
  const path: number[] = [];
  const visit = (step: number): void => {
    if (done.has(step)) return;
    const at = path.indexOf(step);
    if (at >= 0) {
      const ring = [...path.slice(at), step].map((one) => wiring.steps[one]!.step.name);
      throw misfit(`the steps ${ring.toReversed().join(" → ")} wait for each other`);
    }
    path.push(step);
    for (const other of before[step]!) visit(other);
    path.pop();
    done.add(step);
  };
  for (const step of before.keys()) visit(step);
}
