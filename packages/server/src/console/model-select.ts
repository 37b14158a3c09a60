import { element } from "./element.ts";
import type { ServerApi } from "./server-api.ts";

/** A choice among the models, which leads to the page `#/PAGE/MODEL`. */
export async function modelSelect(
  api: ServerApi,
  {
    chosen,
    page,
    everything,
  }: { readonly chosen: string | undefined; readonly page: string; readonly everything?: string },
): Promise<HTMLElement> {
  const names = [...new Set((await api.models()).map(({ name }) => name))];
  const select = element(
    "select",
    {
      onchange: () => {
        location.hash = `#/${page}${select.value === "" ? "" : `/${encodeURIComponent(select.value)}`}`;
      },
    },
    ...(everything === undefined ? [] : [element("option", { value: "" }, everything)]),
    ...names.map((name) => element("option", { value: name, selected: name === chosen }, name)),
  );
  return element("label", { class: "row" }, element("span", { class: "unseen" }, "Model"), select);
}
