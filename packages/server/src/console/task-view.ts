import { taskCallText } from "../base/call-text.ts";
import { barList } from "./bars.ts";
import { button, element } from "./element.ts";
import type { ServerApi, TimedPrediction } from "./server-api.ts";
import { timingView } from "./timing-view.ts";

/** What is put into a request. */
interface TaskInput {
  readonly view: HTMLElement;
  /** Throws an `Error` that says what is missing. */
  read(): { readonly body: BodyInit; readonly type: string };
  /** As a call from elsewhere spells it. */
  spelled(): { readonly file: string } | { readonly json: string };
}

const MAX_SHOWN = 20_000;
const PREVIEW = 320;

/** A playground for a model that takes what people have: a picture, a sound, a text. */
export function taskView(api: ServerApi, model: string, task: string): HTMLElement {
  const line = element("code", {});
  const said = element("span", { role: "status", class: "said" });
  const trouble = element("p", { class: "trouble", role: "alert" });
  const result = element("div", { class: "result", "aria-live": "polite" });
  const changed = (): void => {
    said.textContent = "";
    const called = { origin: api.origin, name: model, needsKey: api.hasKey, input: input.spelled() };
    line.textContent = taskCallText(called).trimEnd();
  };
  const input = inputOf(task, changed);
  changed();
  const send = async (): Promise<void> => {
    trouble.textContent = "";
    go.disabled = true;
    try {
      const { body, type } = input.read();
      result.replaceChildren(predictionView(await api.predict(model, body, type)));
    } catch (error) {
      trouble.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      go.disabled = false;
    }
  };
  const go = element("button", { type: "submit", class: "primary" }, "Send");
  const submit = (event: Event): void => {
    event.preventDefault();
    void send();
  };
  result.append(element("p", { class: "quiet empty" }, "The answer appears here."));
  const copy = button("Copy", () => {
    navigator.clipboard.writeText(line.textContent ?? "").then(
      () => {
        said.textContent = "Copied";
      },
      () => getSelection()?.selectAllChildren(line),
    );
  });
  return element(
    "div",
    { class: "playground" },
    element(
      "form",
      { class: "inputs", onsubmit: submit },
      element("h2", {}, task.replaceAll("-", " ")),
      input.view,
      element("div", { class: "row" }, go),
      trouble,
    ),
    element("section", { class: "answer", "aria-label": "Answer" }, element("h2", {}, "Answer"), result),
    element(
      "section",
      { class: "calls", "aria-label": "The same request from elsewhere" },
      element("h3", {}, "The same request from elsewhere"),
      element("pre", { tabindex: 0 }, line),
      element("div", { class: "row" }, copy, said),
    ),
  );
}

function inputOf(task: string, changed: () => void): TaskInput {
  if (/^(image|object)-/.test(task)) return fileInput("picture", "image/*", changed);
  if (/^audio-/.test(task)) return fileInput("sound", ".wav,audio/wav", changed);
  return /^(text|token|feature|fill|zero)-/.test(task) ? textInput(task, changed) : jsonInput(changed);
}

/** A file to choose or to drop. */
function fileInput(kind: string, accept: string, changed: () => void): TaskInput {
  let file: File | undefined;
  const preview = element("canvas", {
    class: "seen",
    width: 1,
    height: 1,
    hidden: true,
    "aria-hidden": "true",
  });
  const name = element("span", { class: "quiet" }, `or drop a ${kind} here`);
  const take = (taken: File | undefined): void => {
    if (taken === undefined) return;
    file = taken;
    name.textContent = taken.name;
    changed();
    if (kind === "picture") showPicture(preview, taken);
  };
  const chooser = element("input", {
    type: "file",
    accept,
    hidden: true,
    onchange: () => take(chooser.files?.[0]),
  });
  const view = element(
    "div",
    { class: "drop" },
    preview,
    button(`Open ${kind}`, () => chooser.click()),
    chooser,
    name,
  );
  view.addEventListener("dragover", (event) => event.preventDefault());
  view.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files[0]);
  });
  return {
    view,
    read() {
      if (file === undefined) throw new Error(`open a ${kind} first`);
      return { body: file, type: file.type === "" ? "application/octet-stream" : file.type };
    },
    spelled: () => ({ file: file?.name ?? `${kind}.${kind === "picture" ? "jpg" : "wav"}` }),
  };
}

/** What this browser cannot read is sent all the same. */
function showPicture(canvas: HTMLCanvasElement, file: Blob): void {
  createImageBitmap(file).then(
    (picture) => {
      const scale = Math.min(1, PREVIEW / Math.max(picture.width, picture.height));
      canvas.width = Math.max(1, picture.width * scale);
      canvas.height = Math.max(1, picture.height * scale);
      canvas.getContext("2d")!.drawImage(picture, 0, 0, canvas.width, canvas.height);
      canvas.hidden = false;
    },
    () => {
      canvas.hidden = true;
    },
  );
}

function textInput(task: string, changed: () => void): TaskInput {
  const text = element("textarea", { rows: 5, "aria-label": "Text", oninput: changed });
  text.value =
    task === "fill-mask" ? "Paris is the [MASK] of France." : "a film that is neither good nor bad";
  const labels = element("input", { value: "praise, complaint", oninput: changed });
  const needsLabels = task === "zero-shot-classification";
  const json = (): string => {
    const candidates = labels.value.split(",").map((label) => label.trim());
    return JSON.stringify({
      input: text.value,
      ...(needsLabels && { parameters: { candidate_labels: candidates.filter((label) => label !== "") } }),
    });
  };
  const view = element(
    "div",
    { class: "field" },
    text,
    needsLabels ? element("label", { class: "row" }, "Labels, between commas", labels) : undefined,
  );
  return {
    view,
    read: () => ({ body: json(), type: "application/json" }),
    spelled: () => ({ json: json() }),
  };
}

/** For a handler of the model's own, which takes whatever it takes. */
function jsonInput(changed: () => void): TaskInput {
  const area = element("textarea", {
    rows: 5,
    "aria-label": "Body as JSON",
    spellcheck: "false",
    oninput: changed,
  });
  area.value = '{"input": ""}';
  const read = () => ({ body: area.value, type: "application/json" });
  return { view: area, read, spelled: () => ({ json: area.value }) };
}

interface Scored {
  readonly label: string;
  readonly score: number;
}

function isScored(value: unknown): value is Scored {
  if (typeof value !== "object" || value === null || !("label" in value && "score" in value)) return false;
  return typeof value.label === "string" && typeof value.score === "number";
}

/** Labels with their scores as bars, anything else as it came. */
function predictionView({ prediction, stages, tookMs }: TimedPrediction): HTMLElement {
  const list =
    Array.isArray(prediction) && prediction.length === 1 && Array.isArray(prediction[0])
      ? prediction[0]
      : prediction;
  const isList = Array.isArray(list) && list.length > 0 && list.every(isScored);
  const text = JSON.stringify(prediction, null, 1);
  const shown = isList
    ? barList(
        "labels and their scores",
        (list as readonly Scored[]).map(({ label, score }) => ({
          label,
          share: score,
          text: score.toFixed(4),
        })),
      )
    : element(
        "pre",
        { tabindex: 0 },
        element("code", {}, text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text),
      );
  return element("div", {}, shown, element("h4", {}, "Where the time went"), timingView({ stages, tookMs }));
}
