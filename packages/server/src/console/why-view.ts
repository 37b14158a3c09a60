import type { Series } from "../base/metrics-text.ts";
import { STAGES } from "../base/timeline.ts";
import { type Evidence, machineBetween, toEvidence } from "../why/evidence.ts";
import { type Finding, NOTHING_TO_CHANGE } from "../why/finding.ts";
import { findingsOf } from "../why/findings.ts";
import { element } from "./element.ts";
import type { LiveStore, Tick } from "./live-store.ts";
import { modelSelect } from "./model-select.ts";
import { elementBytes, readModelSetup } from "./model-setup.ts";
import type { ServerApi } from "./server-api.ts";

interface WhyParts {
  readonly model: string | undefined;
  readonly signal: AbortSignal;
  trouble(error: unknown): void;
}

/** What the figures of the last minutes say of a model's latency: the findings of `sconce why`. */
export async function whyView(
  api: ServerApi,
  store: LiveStore,
  { model, signal, trouble }: WhyParts,
): Promise<HTMLElement> {
  const name = model ?? (await api.models()).find(({ state }) => state === "READY")?.name;
  const judged = element("div", { class: "judged" });
  const window = element("p", { class: "quiet" });
  const head = element(
    "header",
    { class: "page-head" },
    element("h1", {}, "Why is it slow?"),
    await modelSelect(api, { chosen: name, page: "why" }),
    window,
  );
  const view = element("div", { class: "why" }, head, judged);
  if (name === undefined) {
    judged.append(element("p", {}, "No model is ready."));
    return view;
  }
  const setup = await readModelSetup(api, name);
  const render = (): void => {
    // Whoever reads by keyboard keeps their place.
    if (judged.contains(document.activeElement)) return;
    const { ticks } = store;
    const evidence = toEvidence({
      name,
      series: addedUp(ticks),
      seconds: ticks.reduce((sum, { seconds }) => sum + seconds, 0),
      model: setup,
      threads: undefined,
      machine: ticks.length < 2 ? undefined : machineBetween(ticks[0]!.machine, ticks.at(-1)!.machine),
      load: undefined,
      elementBytes,
    });
    window.textContent = `${evidence.answered} answers in the last ${Math.round(evidence.seconds)} s`;
    judged.replaceChildren(...verdict(name, evidence));
  };
  render();
  store.follow(signal, render).catch(trouble);
  return view;
}

/** All that was counted in these ticks. */
function addedUp(ticks: readonly Tick[]): Series[] {
  const sums = new Map<string, Series>();
  for (const { counts } of ticks) {
    for (const series of counts) {
      const key = `${series.name}${JSON.stringify(series.labels)}`;
      sums.set(key, { ...series, value: series.value + (sums.get(key)?.value ?? 0) });
    }
  }
  return [...sums.values()];
}

function verdict(name: string, evidence: Evidence): HTMLElement[] {
  if (evidence.answered === 0) {
    return [
      element(
        "section",
        { class: "card" },
        element("p", {}, "No inference was answered since this page looks on. Send some, for example:"),
        element("pre", { tabindex: 0 }, element("code", {}, `sconce bench ${name}`)),
      ),
    ];
  }
  const findings = findingsOf(evidence);
  return [
    stageTable(evidence),
    findings.length === 0
      ? element("section", { class: "card" }, element("p", {}, NOTHING_TO_CHANGE))
      : element("ol", { class: "findings" }, ...findings.map(findingCard)),
    element(
      "p",
      { class: "quiet" },
      "With the model's file at hand, ",
      element("code", {}, "sconce why FILE --try"),
      " measures what each change gains.",
    ),
  ];
}

function stageTable({ stages, serverMs }: Evidence): HTMLElement {
  const rows = STAGES.map((stage) => {
    const { mean, p50, p99 } = stages[stage];
    const fill = element("span", { class: `fill stage-${stage}` });
    fill.style.inlineSize = `${serverMs === 0 ? 0 : (100 * mean) / serverMs}%`;
    const numbers = [mean, p50, p99].map((ms) => element("td", { class: "number" }, ms.toFixed(2)));
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, stage),
      element("td", { class: "track" }, fill),
      ...numbers,
    );
  });
  const titles = ["mean", "p50", "p99"].map((text) => element("th", { scope: "col", class: "number" }, text));
  return element(
    "section",
    { class: "card" },
    element(
      "table",
      { class: "bars stages" },
      element("caption", {}, `${serverMs.toFixed(2)} ms in the server on the average; milliseconds by stage`),
      element("thead", {}, element("tr", {}, element("td", {}), element("td", {}), ...titles)),
      element("tbody", {}, ...rows),
    ),
  );
}

function findingCard({ title, costMs, evidence, change }: Finding): HTMLElement {
  return element(
    "li",
    { class: "card" },
    element(
      "h2",
      { class: "plain" },
      title,
      costMs > 0 ? element("span", { class: "cost" }, `${costMs.toFixed(2)} ms`) : undefined,
    ),
    element("p", {}, evidence),
    element("pre", { tabindex: 0 }, element("code", {}, change)),
  );
}
