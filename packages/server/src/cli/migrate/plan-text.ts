import type { TorchserveRow } from "../../config/torchserve/torchserve-row.ts";
import type { MigratedModel, Plan } from "./plan.ts";
import { openPoints } from "./plan.ts";
import type { ComparedFile } from "./planned-files.ts";

const NAMES = { torchserve: "TorchServe's model store", triton: "Triton's repository" };
const MARKS: Readonly<Record<TorchserveRow["outcome"], string>> = {
  same: "ok",
  other: "differs",
  none: "NOT FOLLOWED",
  idle: "not needed",
};
const WIDEST_VALUE = 48;

/** The plan for people: what maps to what, what runs what, and what is to be done. */
export function planText(plan: Plan): string {
  const { from, store, config, settings, models, notes } = plan;
  const title = `${NAMES[from]} ${store}${config === undefined ? "" : `, configured by ${config}`}`;
  return [
    title,
    ...(settings.length === 0 ? [] : ["", "settings", ...table(settings)]),
    "",
    models.length === 0 ? "no models" : "models",
    ...models.flatMap(modelLines),
    ...(notes.length === 0 ? [] : ["", ...notes.map((note) => `note: ${note}`)]),
    "",
    verdict(plan),
    "",
  ].join("\n");
}

function modelLines({ name, version, file, runtime, why, settings, notes }: MigratedModel): string[] {
  const runs = runtime === undefined ? "NOT SERVED" : runtime === "onnx" ? "without Python" : "with Python";
  return [
    `  ${name} ${version} (${file}): ${runs}: ${why}`,
    ...table(settings).map((line) => `  ${line}`),
    ...notes.map((note) => `    note: ${note}`),
  ];
}

/** One line each: the key, what becomes of it, and how it is written here. */
function table(rows: readonly TorchserveRow[]): string[] {
  const shown = rows.map((row) => ({
    ...row,
    said: `${row.key}${row.value === "" ? "" : `=${cut(row.value)}`}`,
  }));
  const width = Math.max(0, ...shown.map(({ said }) => said.length));
  return shown.map(({ said, outcome, becomes, note }) => {
    const what = [becomes, note].filter((text) => text !== "").join("; ");
    const mark = outcome === "same" && what !== "" ? "" : MARKS[outcome];
    const words = [mark, what].filter((text) => text !== "").join(": ");
    return `  ${said.padEnd(width)}  ${words}`;
  });
}

function cut(value: string): string {
  const line = value.replace(/\s+/g, " ");
  return line.length > WIDEST_VALUE ? `${line.slice(0, WIDEST_VALUE - 1)}…` : line;
}

function verdict(plan: Plan): string {
  const { models } = plan;
  const count = (runtime: MigratedModel["runtime"]): number =>
    models.filter((model) => model.runtime === runtime).length;
  const open = openPoints(plan);
  const all = models.length === 1 ? "1 model" : `${models.length} models`;
  const parts = [
    `${count("onnx")} without Python`,
    `${count("python")} with Python`,
    `${count(undefined)} not served`,
  ];
  const points = open === 0 ? "nothing stands" : open === 1 ? "1 point stands" : `${open} points stand`;
  return `${all}: ${parts.join(", ")}; ${points} against the move`;
}

/** What is written, or would be, as a diff. */
export function filesText(files: readonly ComparedFile[]): string {
  return files
    .flatMap(({ path, state, diff, planned }) => {
      if (state === "same") return [`${path}: is there already`];
      const note = state === "differs" ? " (something else is there)" : "";
      if ("sameAs" in planned) return [`${path}: ${diff[0]}${note}`];
      return [`--- ${state === "new" ? "/dev/null" : path}`, `+++ ${path}${note}`, ...diff];
    })
    .map((line) => `${line}\n`)
    .join("");
}
