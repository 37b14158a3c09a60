import { type CalledModel, type CallLanguage, callBody, callText } from "../base/call-text.ts";
import { button, element } from "./element.ts";

const LANGUAGES: readonly (readonly [language: CallLanguage, title: string])[] = [
  ["curl", "curl"],
  ["python", "Python"],
  ["typescript", "TypeScript"],
  ["grpcurl", "grpcurl"],
];

/** A call in several languages, to copy. */
export interface CallsView {
  readonly view: HTMLElement;
  /** `model` undefined: the input is not complete. */
  show(model: CalledModel | undefined): void;
}

export function callsView(): CallsView {
  let language: CallLanguage = "curl";
  let called: CalledModel | undefined;
  const text = element("code", {});
  const said = element("span", { role: "status", class: "said" });
  const tabs = LANGUAGES.map(([id, title]) =>
    button(title, () => choose(id), {
      class: "tab",
      "aria-pressed": String(id === language),
      "data-language": id,
    }),
  );
  const save = element("a", { class: "button", download: "request.json", hidden: true }, "Save request.json");
  const copy = button("Copy", () => {
    navigator.clipboard.writeText(text.textContent ?? "").then(
      () => say("Copied"),
      () => {
        getSelection()?.selectAllChildren(text);
        say("Selected; press Ctrl+C");
      },
    );
  });
  const say = (words: string): void => {
    said.textContent = words;
  };
  const choose = (chosen: CallLanguage): void => {
    language = chosen;
    for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset["language"] === chosen));
    render();
  };
  let body: string | undefined;
  const render = (): void => {
    say("");
    copy.disabled = called === undefined;
    if (called === undefined) {
      text.textContent = "complete the input first";
      save.hidden = true;
      return;
    }
    const spelled = callText(language, called);
    text.textContent =
      spelled?.trimEnd() ?? "These tensors are too long for a command line: take Python or TypeScript.";
    copy.disabled = spelled === undefined;
    save.hidden = spelled?.includes("request.json") !== true;
    if (save.hidden) return;
    if (body !== undefined) URL.revokeObjectURL(body);
    body = URL.createObjectURL(new Blob([callBody(called)], { type: "application/json" }));
    save.href = body;
  };
  const view = element(
    "section",
    { class: "calls", "aria-label": "The same request from elsewhere" },
    element("h3", {}, "The same request from elsewhere"),
    element("div", { class: "row tabs", role: "group", "aria-label": "Language" }, ...tabs),
    element("pre", { tabindex: 0 }, text),
    element("div", { class: "row" }, copy, save, said),
  );
  return {
    view,
    show(model) {
      called = model;
      render();
    },
  };
}
