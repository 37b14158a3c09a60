import type { Caller, ModelRight } from "../gate/caller.ts";

/** Tokens may name any models: the view that was asked for first is made again when it is needed. */
const MOST_VIEWS = 256;

/** What each caller sees of something: the whole, or what `make` makes of it for a right, once for all callers with the same one. */
export function createCallerViews<View>(
  whole: View,
  make: (right: ModelRight) => View,
): (caller: Caller) => View {
  const views = new Map<string, View>();
  return ({ models }) => {
    if (models === undefined) return whole;
    const known = views.get(models.text);
    if (known !== undefined) return known;
    if (views.size >= MOST_VIEWS)
      for (const oldest of views.keys()) {
        views.delete(oldest);
        break;
      }
    const made = make(models);
    views.set(models.text, made);
    return made;
  };
}
