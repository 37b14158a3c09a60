import type { DeclaredPorts } from "../../base/declared-ports.ts";
import type { Pipeline } from "../../base/pipeline.ts";
import type { Signature } from "../../base/signature.ts";
import { bindSteps, stepsBefore, type Wiring } from "./bind-steps.ts";
import { joinShapes } from "./join-shapes.ts";

/** A step, ready to be run. Tensors have places: first those of the request, in signature order, then those that steps give. */
export interface PlannedStep {
  readonly name: string;
  readonly model: string;
  readonly version: string | undefined;
  /** The model's name for each input, and the place of its tensor. */
  readonly inputs: readonly { readonly name: string; readonly place: number }[];
  /** The outputs to ask for, by the model's names. */
  readonly outputs: readonly string[];
  /** Where each of them goes. */
  readonly places: readonly number[];
  /** Steps that take one of its tensors. */
  readonly next: readonly number[];
  /** Steps whose tensors it takes. */
  readonly before: readonly number[];
}

/** A pipeline, compiled once for the models that its steps have. */
export interface PipelinePlan {
  readonly signature: Signature;
  readonly steps: readonly PlannedStep[];
  /** How many tensors there are. */
  readonly tensors: number;
  /** The place of each output, in signature order, and by name. */
  readonly outputPlaces: readonly number[];
  readonly outputPlaceOf: ReadonlyMap<string, number>;
  /** How many steps take the tensor at each place. */
  readonly uses: readonly number[];
  /** By output: the steps that it needs. */
  readonly needs: ReadonlyMap<string, ReadonlySet<number>>;
  /** What a user should know. */
  readonly warnings: readonly string[];
}

/**
 * Throws `invalid_argument`/`invalid_config` when the steps do not fit together. `signatures`: of the steps' models, in their order; `ports`: what else is
 * said of inputs and outputs.
 */
export function compilePipeline(
  pipeline: Pipeline,
  signatures: readonly Signature[],
  ports?: DeclaredPorts,
): PipelinePlan {
  const wiring = bindSteps(pipeline, signatures);
  const signature = joinShapes(wiring, signatures, ports);
  const places = placesOf(wiring);
  const before = stepsBefore(wiring);
  const uses = new Array<number>(places.size).fill(0);
  const steps = wiring.steps.map(({ step, inputs, outputs }, i): PlannedStep => {
    const taken = inputs.map(({ spec: { name }, tensor }) => ({ name, place: places.get(tensor)! }));
    for (const place of new Set(taken.map((input) => input.place))) uses[place]! += 1;
    return {
      name: step.name,
      model: step.model,
      version: step.version,
      inputs: taken,
      outputs: outputs.map(({ spec }) => spec.name),
      places: outputs.map(({ tensor }) => places.get(tensor)!),
      next: [...before.keys()].filter((other) => before[other]!.includes(i)),
      before: before[i]!,
    };
  });
  const needs = new Map(
    wiring.outputs.map((tensor) => [tensor, allBefore(wiring.origins.get(tensor)!.step, before)] as const),
  );
  const idle = steps.filter((_, i) => [...needs.values()].every((needed) => !needed.has(i)));
  return {
    signature,
    steps,
    tensors: places.size,
    outputPlaces: wiring.outputs.map((tensor) => places.get(tensor)!),
    outputPlaceOf: new Map(wiring.outputs.map((tensor) => [tensor, places.get(tensor)!])),
    uses,
    needs,
    warnings: idle.map(({ name }) => `the step "${name}" never runs: no output of the pipeline needs it`),
  };
}

function placesOf({ inputs, origins }: Wiring): ReadonlyMap<string, number> {
  return new Map([...inputs, ...origins.keys()].map((tensor, place) => [tensor, place]));
}

/** A step and all that it waits for. */
function allBefore(step: number, before: readonly (readonly number[])[]): ReadonlySet<number> {
  const found = new Set([step]);
  for (const one of found) for (const other of before[one]!) found.add(other);
  return found;
}
