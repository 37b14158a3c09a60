import type { CalledTensor } from "../base/call-text.ts";
import { callBody } from "../base/call-text.ts";
import { callsView } from "./calls-view.ts";
import { button, element } from "./element.ts";
import type { InputField } from "./input-field.ts";
import { fieldsFor } from "./input-fields.ts";
import { isScores, type LabelOf, outputView } from "./response-view.ts";
import {
  type ListedModel,
  type ModelSignature,
  modelPath,
  type OutputTensor,
  type ServerApi,
  type TensorPort,
  type TimedResponse,
} from "./server-api.ts";
import { taskView } from "./task-view.ts";
import { timingView } from "./timing-view.ts";

const NO_LABELS: LabelOf = () => undefined;

/** A model's page: what it takes and gives, and a playground. `changed`: it may be in another state. */
export async function modelView(
  api: ServerApi,
  listed: ListedModel,
  changed: () => void,
): Promise<HTMLElement> {
  const { name, version, state, reason } = listed;
  const head = element(
    "header",
    { class: "model-head" },
    element("h1", {}, name),
    element("span", { class: `badge state-${state.toLowerCase()}` }, state.toLowerCase()),
    element("span", { class: "quiet" }, `version ${version}`),
    element(
      "span",
      { class: "row actions" },
      element("a", { href: `#/live/${encodeURIComponent(name)}` }, "Live"),
      element("a", { href: `#/why/${encodeURIComponent(name)}` }, "Why is it slow?"),
    ),
  );
  const page = element("article", { class: "model" }, head);
  if (api.hasKey) page.append(controls(api, listed, changed));
  if (reason !== "") page.append(element("p", { class: "reason" }, reason));
  if (state !== "READY") {
    page.append(button("Look again", changed));
    return page;
  }
  const [signature, task] = await Promise.all([api.signature(name, version), api.task(name, version)]);
  page.append(signatureView(signature));
  const tensors = playground(api, listed, signature);
  if (task === undefined) page.append(tensors);
  else {
    const summary = element("summary", { class: "tensors-title" }, "Or send tensors");
    page.append(taskView(api, name, task), element("details", { class: "tensors" }, summary, tensors));
  }
  return page;
}

/** Load and unload, for whoever has given a key; whether it is an administrator's, the server says. */
function controls(api: ServerApi, { name, state }: ListedModel, changed: () => void): HTMLElement {
  const said = element("span", { role: "status", class: "trouble" });
  const ask = async (what: "load" | "unload"): Promise<void> => {
    for (const one of buttons) one.disabled = true;
    said.textContent = "";
    try {
      await api.control(name, what);
      changed();
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
      for (const one of buttons) one.disabled = false;
    }
  };
  const isReady = state === "READY";
  const buttons = [
    button(isReady ? "Load again" : "Load", () => void ask("load")),
    ...(isReady ? [button("Unload", () => void ask("unload"))] : []),
  ];
  return element("div", { class: "row controls" }, ...buttons, said);
}

function signatureView({ inputs, outputs, platform }: ModelSignature): HTMLElement {
  const rows = (kind: string, ports: readonly TensorPort[]): HTMLElement[] =>
    ports.map(({ name, datatype, shape }) =>
      element(
        "tr",
        {},
        element("td", { class: "quiet" }, kind),
        element("th", { scope: "row" }, name),
        element("td", {}, datatype),
        element(
          "td",
          {},
          element("code", {}, `[${shape.map((size) => (size < 0 ? "any" : size)).join(", ")}]`),
        ),
      ),
    );
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": "Signature" },
    element(
      "table",
      { class: "signature" },
      element("caption", {}, platform),
      element("tbody", {}, ...rows("in", inputs), ...rows("out", outputs)),
    ),
  );
}

interface Input {
  readonly port: TensorPort;
  readonly view: HTMLElement;
  /** The field that is shown. */
  field(): InputField;
}

function inputOf(port: TensorPort, changed: () => void): Input {
  const fields = fieldsFor(port, changed);
  let current = 0;
  const holder = element("div", { class: "field" }, fields[0]![1].view);
  const tabs = fields.map(([title], i) =>
    button(title, () => choose(i), { class: "tab", "aria-pressed": String(i === 0) }),
  );
  const choose = (next: number): void => {
    const [, to] = fields[next]!;
    if (next !== current && to.show !== undefined) {
      try {
        to.show(fields[current]![1].read());
      } catch {
        // Half of an input is not carried over.
      }
    }
    current = next;
    holder.replaceChildren(to.view);
    for (const [i, tab] of tabs.entries()) tab.setAttribute("aria-pressed", String(i === next));
    changed();
  };
  const view = element(
    "fieldset",
    {},
    element("legend", {}, port.name),
    element(
      "div",
      { class: "row tabs" },
      ...(tabs.length > 1 ? tabs : []),
      button("Sample", () => fields[current]![1].fillSample(), { class: "link" }),
    ),
    holder,
  );
  return { port, view, field: () => fields[current]![1] };
}

function playground(api: ServerApi, listed: ListedModel, signature: ModelSignature): HTMLElement {
  const { name } = signature;
  const calls = callsView();
  const version = signature.versions.length > 1 ? listed.version : undefined;
  const trouble = element("p", { class: "trouble", role: "alert" });
  const result = element("div", { class: "result", "aria-live": "polite" });
  const tensors = (): CalledTensor[] =>
    inputs.map(({ port, field }) => ({ ...port, ...field().read(), elementBytes: 0 }));
  const refresh = (): void => {
    try {
      calls.show({
        origin: api.origin,
        name,
        version,
        tensors: tensors(),
        needsKey: api.hasKey,
        bodyFile: "request.json",
      });
      trouble.textContent = "";
    } catch {
      calls.show(undefined); // what is wrong is said when it is sent
    }
  };
  let pending: ReturnType<typeof requestAnimationFrame> | undefined;
  const changed = (): void => {
    if (pending !== undefined) return;
    pending = requestAnimationFrame(() => {
      pending = undefined;
      refresh();
    });
  };
  const inputs = signature.inputs.map((port) => inputOf(port, changed));
  const labels = labelsOf(api, modelPath(name, listed.version));
  const send = async (): Promise<void> => {
    trouble.textContent = "";
    go.disabled = true;
    try {
      const body = callBody({ tensors: tensors() });
      const answer = await api.infer(`${modelPath(name, listed.version)}/infer`, body);
      result.replaceChildren(await answerView(answer, (output) => labels(output, body)));
    } catch (error) {
      trouble.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      go.disabled = false;
    }
  };
  const go = element("button", { type: "submit", class: "primary" }, "Send");
  const form = element(
    "form",
    {
      class: "inputs",
      onsubmit: (event) => {
        event.preventDefault();
        void send();
      },
      ontrouble: (event) => {
        trouble.textContent = String((event as CustomEvent<string>).detail);
      },
    },
    element("h2", {}, "Try it"),
    ...inputs.map(({ view }) => view),
    element("div", { class: "row" }, go),
    trouble,
  );
  result.append(element("p", { class: "quiet empty" }, "The answer appears here."));
  refresh();
  return element(
    "div",
    { class: "playground" },
    form,
    element("section", { class: "answer", "aria-label": "Answer" }, element("h2", {}, "Answer"), result),
    calls.view,
  );
}

async function answerView(
  answer: TimedResponse,
  labels: (output: OutputTensor) => Promise<LabelOf>,
): Promise<HTMLElement> {
  const views = answer.outputs.map(async (output) =>
    outputView(output, isScores(output) ? await labels(output) : NO_LABELS),
  );
  return element(
    "div",
    {},
    ...(await Promise.all(views)),
    element("h4", {}, "Where the time went"),
    timingView(answer),
  );
}

/** Asks once for the labels of an output's places, which the server gives with a classification. */
function labelsOf(api: ServerApi, path: string): (output: OutputTensor, body: string) => Promise<LabelOf> {
  const known = new Map<string, LabelOf>();
  return async ({ name, data }, body) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const outputs = [{ name, parameters: { classification: data.length } }];
    let labels: LabelOf = NO_LABELS;
    try {
      const answer = await api.infer(
        `${path}/infer`,
        `${body.slice(0, -1)},"outputs":${JSON.stringify(outputs)}}`,
      );
      labels = readLabels(answer.outputs[0]?.data ?? []);
    } catch {
      // Without labels places have their numbers.
    }
    known.set(name, labels);
    return labels;
  };
}

/** `0.98:3:three` */
function readLabels(classes: OutputTensor["data"]): LabelOf {
  const labels = new Map<number, string>();
  for (const text of classes) {
    const [, index, label] = /^[^:]*:(\d+):(.+)$/s.exec(String(text)) ?? [];
    if (index !== undefined && label !== undefined) labels.set(Number(index), label);
  }
  return (index) => labels.get(index);
}
