import type { Administration } from "../infer/administration.ts";
import type { Inference } from "../infer/inference.ts";

/**
 * Unloads a model; with `withDependents` also the models that a pipeline is made of, and those that they are made of. Rejects as
 * `Administration.unloadModel`; what was unloaded before stays so.
 */
export async function unloadModels(
  { administration, inference }: { readonly administration: Administration; readonly inference: Inference },
  name: string,
  { signal, withDependents }: { readonly signal: AbortSignal; readonly withDependents: boolean },
): Promise<void> {
  const names = withDependents ? withSteps(inference, name) : [name];
  for (const one of names) await administration.unloadModel(one, signal);
}

/** The model first, so that a pipeline is gone before its models. */
function withSteps(inference: Inference, name: string): Iterable<string> {
  const names = new Set([name]);
  for (const one of names) for (const step of stepsOf(inference, one)) names.add(step);
  return names;
}

/** None of a model that is not in memory: what it is made of is known only there. */
function stepsOf(inference: Inference, name: string): readonly string[] {
  try {
    return (inference.modelConfiguration(name, undefined).settings.steps ?? []).map(({ model }) => model);
  } catch {
    return [];
  }
}
