import { element } from "./element.ts";
import type { TimedResponse } from "./server-api.ts";

const HELP: Readonly<Record<string, string>> = {
  receive: "the body arrives",
  preprocess: "it becomes tensors",
  decode: "it is read and checked",
  queue: "waits for an instance",
  batch: "is put together with others",
  transfer: "to the worker and back",
  compute: "the model runs",
  postprocess: "its outputs become an answer",
  encode: "the answer is written",
  network: "network and browser",
};

/** Where the time of a request went: a bar of its stages in their order, and a legend that says the same in words. */
export function timingView({ stages, tookMs }: Pick<TimedResponse, "stages" | "tookMs">): HTMLElement {
  const server = stages.reduce((sum, [, ms]) => sum + ms, 0);
  const parts = [...stages, ["network", Math.max(0, tookMs - server)] as const];
  const bar = element("div", { class: "time-bar", "aria-hidden": "true" });
  const legend = element("ul", { class: "legend" });
  for (const [stage, ms] of parts) {
    const part = element("span", { class: `stage stage-${stage}`, title: `${stage} ${ms.toFixed(2)} ms` });
    part.style.flexGrow = String(ms);
    bar.append(part);
    legend.append(
      element(
        "li",
        { title: HELP[stage] },
        element("span", { class: `swatch stage-${stage}`, "aria-hidden": "true" }),
        element("span", {}, stage),
        element("b", {}, `${ms.toFixed(2)} ms`),
      ),
    );
  }
  return element(
    "div",
    { class: "timing" },
    element(
      "p",
      {},
      element("b", {}, `${server.toFixed(2)} ms`),
      ` in the server, ${tookMs.toFixed(1)} ms until it was here`,
    ),
    bar,
    legend,
  );
}
