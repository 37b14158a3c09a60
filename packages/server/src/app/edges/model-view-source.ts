import type { ModelView, ViewMessage } from "../../link/link-methods.ts";
import type { ManagedRegistry } from "../../models/managed-registry.ts";

/** What edge processes have to know of the models, as they change. */
export interface ModelViewSource {
  whole(): ViewMessage;
  /** How often a model has changed. */
  revisionOf(model: string): number;
  /** A model may have gone. */
  look(model: string): void;
  stop(): void;
}

/** Tells `onChange` of models that have changed, all of one turn together. */
export function watchModels(
  registry: Pick<ManagedRegistry, "watch" | "names" | "isKnown" | "loaded" | "servingVersion">,
  onChange: (view: ViewMessage) => void,
): ModelViewSource {
  const changed = new Set<string>();
  const revisions = new Map<string, number>();
  const revisionOf = (name: string): number => revisions.get(name) ?? 1;
  const viewsOf = (names: Iterable<string>): ViewMessage => {
    const loaded = registry.loaded();
    const models: ModelView[] = [];
    const gone: string[] = [];
    for (const name of names) {
      if (!registry.isKnown(name)) {
        gone.push(name);
        revisions.delete(name);
      } else {
        const versions = loaded.filter((served) => served.name === name && served.task === undefined);
        models.push({
          name,
          revision: revisionOf(name),
          serving: registry.servingVersion(name),
          versions: versions.map(({ version, description }) => ({
            version,
            inputs: description.signature.inputs,
          })),
        });
      }
    }
    return { models, gone };
  };
  const tell = (): void => {
    const view = viewsOf(changed);
    changed.clear();
    onChange(view);
  };
  const look = (model: string): void => {
    if (changed.size === 0) setImmediate(tell);
    changed.add(model);
    revisions.set(model, revisionOf(model) + 1);
  };
  const stop = registry.watch(look);
  return { whole: () => viewsOf(registry.names()), revisionOf, look, stop };
}
