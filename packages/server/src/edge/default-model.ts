import { ServeError } from "../base/errors.ts";
import type { Inference } from "../infer/inference.ts";

/** What knows which model a request without a name means. */
interface ModelChoice {
  readonly inference: Pick<Inference, "modelNames">;
  /** The model that was configured; undefined: the only one there is. */
  readonly defaultModel?: string | undefined;
}

/** Names in a message. */
const MAX_LISTED = 10;

/**
 * The model of a request that names none. `how`: an example of naming one, given the name. Throws `invalid_argument` when there are several,
 * `not_found` when there is none.
 */
export function defaultModelOf(
  { defaultModel, inference }: ModelChoice,
  how: (name: string) => string,
): string {
  if (defaultModel !== undefined) return defaultModel;
  const names: string[] = [];
  for (const name of inference.modelNames()) {
    names.push(name);
    if (names.length > MAX_LISTED) break;
  }
  const [only] = names;
  if (only === undefined)
    throw new ServeError("not_found", "there are no models yet", { reason: "model_not_found" });
  if (names.length === 1) return only;
  const listed = names.slice(0, MAX_LISTED).join(", ") + (names.length > MAX_LISTED ? ", …" : "");
  throw new ServeError(
    "invalid_argument",
    `there are several models (${listed}): name one, as in ${how(only)}, or start the server with --default-model`,
    { reason: "no_model" },
  );
}
