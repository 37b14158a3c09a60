import { element } from "./element.ts";
import { modelView } from "./model-view.ts";
import type { ListedModel, ServerApi } from "./server-api.ts";

/** `#/models/NAME/VERSION` */
export function modelHash({ name, version }: Pick<ListedModel, "name" | "version">): string {
  return `#/models/${encodeURIComponent(name)}/${encodeURIComponent(version)}`;
}

/** All models, and the one that was chosen; the first that is ready where none was. `changed`: the models are no longer as they were. */
export async function modelsView(
  api: ServerApi,
  [name, version]: readonly (string | undefined)[],
  changed: () => void,
): Promise<HTMLElement> {
  const models = await api.models();
  const chosen =
    models.find((model) => model.name === name && (version === undefined || model.version === version)) ??
    (name === undefined ? (models.find(({ state }) => state === "READY") ?? models[0]) : undefined);
  // It stays this one, whatever becomes of it.
  if (name === undefined && chosen !== undefined) history.replaceState(null, "", modelHash(chosen));
  const list = element(
    "nav",
    { class: "models", "aria-label": "Models" },
    element("h2", {}, `Models`, element("span", { class: "count" }, String(models.length))),
    element("ul", {}, ...models.map((model) => modelEntry(model, model === chosen))),
  );
  const page =
    chosen === undefined
      ? element(
          "p",
          { class: "quiet" },
          models.length === 0 ? "There are no models yet." : `There is no model ${name}.`,
        )
      : await modelView(api, chosen, changed);
  return element("div", { class: "columns" }, list, page);
}

function modelEntry(model: ListedModel, isChosen: boolean): HTMLElement {
  const { name, version, state } = model;
  return element(
    "li",
    {},
    element(
      "a",
      { href: modelHash(model), "aria-current": isChosen ? "page" : undefined },
      element("span", { class: `dot state-${state.toLowerCase()}`, "aria-hidden": "true" }),
      element("span", { class: "name" }, name),
      element("span", { class: "quiet" }, `v${version}`),
      element("span", { class: "unseen" }, `, ${state.toLowerCase()}`),
    ),
  );
}
