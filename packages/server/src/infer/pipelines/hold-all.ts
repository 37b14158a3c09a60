import type { ServedModelHandle } from "../../models/served-model-handle.ts";

/** Holds all models or none: who held some and waited for the others could wait for room that it takes itself. Undefined: none. */
export function holdAll(
  models: readonly (ServedModelHandle | undefined)[],
): readonly ServedModelHandle[] | undefined {
  const held: ServedModelHandle[] = [];
  for (const model of models) {
    if (model?.hold() === true) held.push(model);
    else {
      for (const one of held) one.release();
      return undefined;
    }
  }
  return held;
}
