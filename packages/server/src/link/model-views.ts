import type { TensorSpec } from "../base/signature.ts";
import type { ModelView, ViewMessage } from "./link-methods.ts";

export interface LeftVersion {
  readonly name: string;
  readonly version: string;
}

/**
 * What an edge process knows of the models: enough to read requests for them. It may be a moment old; whoever reads by it asks the server process, which has
 * the last word.
 */
export class ModelViews {
  readonly #models = new Map<string, ModelView>();

  /** Returns the versions that were there and are not any more. */
  update({ models, gone }: ViewMessage): readonly LeftVersion[] {
    const left: LeftVersion[] = [];
    const leave = (name: string, now: ModelView | undefined): void => {
      for (const { version } of this.#models.get(name)?.versions ?? [])
        if (now?.versions.some((one) => one.version === version) !== true) left.push({ name, version });
    };
    for (const model of models) {
      leave(model.name, model);
      this.#models.set(model.name, model);
    }
    for (const name of gone) {
      leave(name, undefined);
      this.#models.delete(name);
    }
    return left;
  }

  isKnown(name: string): boolean {
    return this.#models.has(name);
  }

  /** By which requests for a model are read; 0: it is not known. */
  revisionOf(name: string): number {
    return this.#models.get(name)?.revision ?? 0;
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
