import type { TensorSpec } from "../base/signature.ts";
import type { ModelView, ViewMessage } from "./link-methods.ts";

/**
 * What an edge process knows of the models: enough to read requests for them. It may be a moment old; whoever reads by it asks the server process, which has
 * the last word.
 */
export class ModelViews {
  readonly #models = new Map<string, ModelView>();

  update({ models, gone }: ViewMessage): void {
    for (const model of models) this.#models.set(model.name, model);
    for (const name of gone) this.#models.delete(name);
  }

  isKnown(name: string): boolean {
    return this.#models.has(name);
  }

  names(): Iterable<string> {
    return this.#models.keys();
  }

  /** What a model takes; undefined: it is not in memory, or takes more than tensors, or is not known at all. */
  inputsOf(name: string, version: string | undefined): readonly TensorSpec[] | undefined {
    const model = this.#models.get(name);
    const wanted = version ?? model?.serving;
    if (model === undefined || wanted === undefined) return undefined;
    for (let i = 0; i < model.versions.length; i++)
      if (model.versions[i]!.version === wanted) return model.versions[i]!.inputs;
    return undefined;
  }
}
