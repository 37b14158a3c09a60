import { basename } from "node:path";
import { MissingInputs, type ModelSummary, summarizeFile } from "@sconce/torch";
import { detectFile, isProgram } from "@sconce/torch/formats";
import { nodePlatform } from "@sconce/torch/node";
import { ServeError } from "../../base/errors.ts";
import { readTorchserveModel } from "../../config/torchserve/torchserve-model-keys.ts";
import type { TorchserveRow } from "../../config/torchserve/torchserve-row.ts";
import { parseYaml } from "../../config/yaml-file.ts";
import { type ArchiveContent, type ArchiveManifest, readArchive } from "../torchserve/archive-manifest.ts";
import type { MigratedModel } from "./plan.ts";

const BUILT_IN: ReadonlySet<string> = new Set([
  "base_handler",
  "text_classifier",
  "image_classifier",
  "image_segmenter",
  "object_detector",
]);
const MOST_NAMED = 5;

/** What the server does not find in an archive by itself, since it has to know it before it reads one. */
const EARLY_KEYS = ["load_timeout", "queue_timeout", "device"];

/** An archive, and the keys of model.yaml for what it says and the server would not find. */
export interface ReadModel {
  readonly model: MigratedModel;
  readonly values: Readonly<Record<string, unknown>>;
}

/** What becomes of an archive. Never throws for what is wrong with it. */
export function archiveModel(
  path: string,
  named: { readonly name: string; readonly version: string },
): ReadModel {
  const file = basename(path);
  try {
    return readArchive(path, (manifest, content) => {
      const config = configOf(manifest, content);
      const facts = factsOf(manifest, content, config.fault);
      return { model: { ...named, file, ...facts, settings: config.rows }, values: config.values };
    });
  } catch (error) {
    const why = ServeError.from(error).message.replace(`${path}: `, "");
    return { model: { ...named, file, runtime: undefined, why, settings: [], notes: [] }, values: {} };
  }
}

function factsOf(
  manifest: ArchiveManifest,
  content: ArchiveContent,
  fault: string | undefined,
): Pick<MigratedModel, "runtime" | "why" | "notes"> {
  const notes = [...requirementsNotes(manifest, content), ...programNotes(manifest, content)];
  const refusal = fault ?? refusalOf(manifest);
  if (refusal !== undefined) return { runtime: undefined, why: refusal, notes };
  const handler = BUILT_IN.has(manifest.handler)
    ? `TorchServe's own handler ${manifest.handler}`
    : `its handler ${manifest.handler}`;
  return { runtime: "python", why: `${handler} is Python: the server needs PyTorch (--python)`, notes };
}

function refusalOf({ handler, runtime }: ArchiveManifest): string | undefined {
  if (runtime.toUpperCase() === "LSP")
    return "C++ handlers are not run: export the model with torch.export.save, and serve the .pt2 file";
  if (handler === "") return "MANIFEST.json names no handler: pack it again with torch-model-archiver";
  return undefined;
}

interface ArchiveConfig extends Pick<ReadModel, "values"> {
  readonly rows: readonly TorchserveRow[];
  /** Why it cannot be read. */
  readonly fault?: string;
}

function configOf({ configFile }: ArchiveManifest, { read }: ArchiveContent): ArchiveConfig {
  const text = configFile === "" ? undefined : read(configFile)?.toString("utf8");
  if (text === undefined) return { rows: [], values: {} };
  try {
    const { rows, values } = readTorchserveModel(parseYaml(text, configFile).values);
    const early = Object.entries(values).filter(([key]) => EARLY_KEYS.includes(key));
    return { rows, values: Object.fromEntries(early) };
  } catch (error) {
    return { rows: [], values: {}, fault: ServeError.from(error).message };
  }
}

function requirementsNotes({ requirementsFile }: ArchiveManifest, { read }: ArchiveContent): string[] {
  const text = read(requirementsFile || "requirements.txt")?.toString("utf8");
  const packages = (text ?? "")
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
  if (packages.length === 0) return [];
  const more = packages.length > MOST_NAMED ? ", …" : "";
  return [`install in that Python before: ${packages.slice(0, MOST_NAMED).join(", ")}${more}`];
}

/** Whether the program in the archive would run without Python. */
function programNotes({ serializedFile }: ArchiveManifest, { open }: ArchiveContent): string[] {
  const source = serializedFile === "" ? undefined : open(serializedFile);
  if (source === undefined) return [];
  const format = detectFile(source);
  if (!isProgram(format)) {
    const way = "sconce export makes a .pt2 of the model file and its weights, which may run without Python";
    return format === "checkpoint" || format === "safetensors"
      ? [`${serializedFile} holds weights: ${way}`]
      : [];
  }
  try {
    return [programNote(serializedFile, summarizeFile(source, nodePlatform, {}))];
  } catch (error) {
    if (error instanceof MissingInputs)
      return [
        `${serializedFile} is a scripted program, which does not say what it takes: served by itself with inputs in a model.yaml it may run without Python`,
      ];
    const why = error instanceof Error ? error.message.split("\n")[0]! : "it cannot be read";
    return [`${serializedFile} is a program that is not translated: ${why}`];
  }
}

function programNote(file: string, { report }: ModelSummary): string {
  if (report.unsupported.length > 0)
    return `${file} needs Python for ${report.unsupported.length} kinds of op, with or without the handler`;
  return `${file} alone runs without Python: served by itself it takes and gives tensors, and what the handler does is the client's`;
}
