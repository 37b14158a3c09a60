import type { RegistryOptions } from "./managed-registry.ts";
import type { ModelVersions } from "./model-versions.ts";

type Models = ReadonlyMap<string, ModelVersions>;

/** What readiness is judged by, once the loads of the first scan are done. */
export interface ReadinessFacts {
  readonly models: Models;
  /** Models to load at the start that were not on disk. */
  readonly missing: ReadonlySet<string>;
  /** A scan could list every path. */
  readonly sawAll: boolean;
}

/** Whether a registry with these options is ready; `Readiness` says what that takes. */
export function isReady(
  options: Pick<RegistryOptions, "readiness" | "explicit" | "allowEmpty" | "lazy">,
  facts: ReadinessFacts,
): boolean {
  const { readiness = "strict", explicit, allowEmpty = false } = options;
  if (typeof readiness !== "string") return readiness.every((name) => facts.models.get(name)?.newest?.well);
  if (explicit === undefined && !allowEmpty && isEmpty(facts.models)) return false;
  return readiness === "settled" || isStrictlyReady(facts, options.lazy === true);
}

/** Nothing is there that was meant as a model. */
export function isEmpty(models: Models): boolean {
  for (const model of models.values()) if (model.isMeant) return false;
  return true;
}

/** A broken version beside one that serves is only listed: taking the server away would help nobody. */
function isStrictlyReady({ models, missing, sawAll }: ReadinessFacts, lazy: boolean): boolean {
  if (missing.size > 0 || !sawAll) return false;
  for (const model of models.values()) {
    if (!model.enabled || !model.isMeant || model.newest?.well === true) continue;
    if (!lazy || model.wanted.length === 0) return false;
  }
  return true;
}
