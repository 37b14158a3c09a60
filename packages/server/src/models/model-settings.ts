import { formatAdvice, isProgram } from "@sconce/torch/formats";
import { ServeError } from "../base/errors.ts";
import type { SettingsFile } from "../config/settings-file.ts";
import type { YamlReader } from "../config/yaml-reader.ts";
import { mapBounded } from "./bounded.ts";
import { PARALLEL_READS } from "./folder-listing.ts";
import { isModelName, type ModelCandidate, type ScanResult } from "./model-candidate.ts";
import { NO_MODEL_FILE } from "./model-file.ts";

/** Adds to a scan what the models' own files say. */
export interface SettingsReader {
  /** Never rejects: what cannot be read is a problem of the models it belongs to. */
  addTo(scan: ScanResult): Promise<ScanResult>;
}

type Settings = { readonly settings: SettingsFile } | Pick<ModelCandidate, "problem" | "unreadable">;

interface Known {
  /** Changes when the file does, and with any other file of its model. */
  readonly fingerprint: string;
  readonly settings: Settings;
}

/** A reader that remembers: files of models that did not change are not read again. */
export function createSettingsReader(yaml: YamlReader): SettingsReader {
  let known: ReadonlyMap<string, Known> = new Map();
  return {
    async addTo(scan) {
      const byFile = new Map<string, ModelCandidate>();
      for (const candidate of scan.candidates)
        for (const path of filesOf(candidate)) byFile.set(path, candidate);
      const read = await mapBounded([...byFile], PARALLEL_READS, async ([path, { root, fingerprint }]) => {
        const before = known.get(path);
        if (before?.fingerprint === fingerprint) return [path, before] as const;
        return [path, { fingerprint, settings: await settle(yaml.read(root, path)) }] as const;
      });
      const seen = new Map(read);
      known = new Map(read.filter(([, { settings }]) => !("unreadable" in settings && settings.unreadable)));
      const candidates = scan.candidates.map((candidate) => withSettings(candidate, seen));
      return { ...scan, candidates };
    },
  };
}

/** The settings of a model, its own first. */
function filesOf({ configFile, foreignFile }: ModelCandidate): string[] {
  return [configFile, foreignFile].filter((path) => path !== undefined);
}

function withSettings(candidate: ModelCandidate, seen: ReadonlyMap<string, Known>): ModelCandidate {
  let merged: SettingsFile | undefined;
  for (const path of filesOf(candidate)) {
    const found = seen.get(path)?.settings;
    if (found === undefined) continue;
    if (!("settings" in found)) return withFault(candidate, found);
    merged = merged === undefined ? found.settings : mergeSettings(merged, found.settings);
  }
  return merged === undefined ? candidate : withFile(candidate, merged);
}

/** A folder without a model's file may be a pipeline, if only its settings could be read: what is wrong with them comes first. */
function withFault(
  candidate: ModelCandidate,
  fault: Pick<ModelCandidate, "problem" | "unreadable">,
): ModelCandidate {
  const { problem } = candidate;
  if (problem === undefined) return { ...candidate, ...fault };
  return { ...candidate, problem: `${fault.problem}; ${problem}` };
}

/** A model's own settings over those of another server, key by key. */
function mergeSettings(own: SettingsFile, foreign: SettingsFile): SettingsFile {
  const { name, values } = own;
  return { ...foreign, name: `${name} and ${foreign.name}`, values: { ...foreign.values, ...values } };
}

/** What the settings make of the model: refused, another file of its folder, remarks. */
function withFile(candidate: ModelCandidate, settings: SettingsFile): ModelCandidate {
  const { refusal, modelFile, remarks = [] } = settings;
  if (refusal !== undefined) return { ...candidate, settings, problem: refusal };
  if (settings.values["pipeline"] !== undefined) return asPipeline(candidate, settings);
  if (isTransform(candidate, settings)) return asTransform(candidate, settings);
  const remark = [candidate.remark, ...remarks].filter((text) => text !== "").join("; ");
  const common = { ...candidate, settings, remark };
  if (modelFile === undefined || !isModelName(candidate.name) || candidate.file.endsWith(`/${modelFile}`))
    return common;
  const file = candidate.otherFiles.find(({ name }) => name === modelFile);
  if (file === undefined) {
    const problem = `${settings.name}: there is no model file ${JSON.stringify(modelFile)} in the folder`;
    return { ...common, problem: candidate.problem ?? problem };
  }
  const { path, format, bytes } = file;
  const problem = isProgram(format) || candidate.codeFile !== undefined ? undefined : formatAdvice(format);
  return { ...common, file: path, format, bytes, problem };
}

/** A folder without a model whose settings say what it takes and gives: code between models, which is looked for when it is loaded. */
function isTransform({ problem, codeFile, configFile }: ModelCandidate, { values }: SettingsFile): boolean {
  if (codeFile !== undefined || configFile === undefined || problem?.startsWith(NO_MODEL_FILE) !== true)
    return false;
  return values["inputs"] !== undefined && values["outputs"] !== undefined;
}

function asTransform(candidate: ModelCandidate, settings: SettingsFile): ModelCandidate {
  const { name, configFile, file } = candidate;
  if (file !== "" || !isModelName(name)) return { ...candidate, settings };
  return {
    ...candidate,
    settings,
    problem: undefined,
    file: configFile!, // what makes it one stands there
    format: "transform",
    bytes: 0,
    looksLikeModel: true,
  };
}

/** A folder whose settings say that other models are its model. They are its file. */
function asPipeline(candidate: ModelCandidate, settings: SettingsFile): ModelCandidate {
  const { name, unreadable, configFile, foreignFile, otherFiles, codeFile } = candidate;
  if (unreadable || !isModelName(name)) return { ...candidate, settings };
  const stray = otherFiles[0]?.name ?? (codeFile === undefined ? undefined : "model.py");
  const problem =
    stray === undefined
      ? undefined
      : `${settings.name} makes the folder a pipeline, and it holds ${stray}, too: keep one of them`;
  const remark = [candidate.remark, ...(settings.remarks ?? [])].filter((text) => text !== "").join("; ");
  const file = configFile ?? foreignFile ?? "";
  return {
    ...candidate,
    settings,
    remark,
    problem,
    file,
    format: "pipeline",
    bytes: 0,
    looksLikeModel: true,
  };
}

async function settle(reading: Promise<SettingsFile>): Promise<Settings> {
  try {
    return { settings: await reading };
  } catch (thrown) {
    const { code, message } = ServeError.from(thrown);
    return { problem: message, unreadable: code === "unavailable" };
  }
}
