import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { shown } from "../../config/torchserve/torchserve-model-keys.ts";
import type { TorchserveRow } from "../../config/torchserve/torchserve-row.ts";
import { createYamlReader } from "../../config/yaml-reader.ts";
import { nodeFileSystem } from "../../models/file-system.ts";
import type { ModelCandidate } from "../../models/model-candidate.ts";
import { createRepository } from "../../models/repository.ts";
import { factsOfFile } from "../inspect/model-file-facts.ts";
import type { MigratedModel, Plan, PlannedFile } from "./plan.ts";
import { yamlText } from "./yaml-text.ts";

/** What Triton listens on, and counts. */
const SERVER = { port: 8000, triton_metrics: true };
const NOTES = [
  "REST, gRPC and metrics are on one port: clients of 8001 and 8002 go to 8000",
  "config.pbtxt stays where it is and is read: a model.yaml comes before it, key by key, and has the names of inputs and outputs from it",
];

/** What a repository of Triton becomes; it is served where it lies. */
export async function tritonPlan(store: string): Promise<Plan> {
  const repository = createRepository({
    paths: [{ path: store }],
    fileSystem: nodeFileSystem,
    yaml: createYamlReader({ clock: systemClock }),
  });
  const { candidates, problems } = await repository.scan();
  return {
    from: "triton",
    store,
    config: undefined,
    settings: [],
    models: candidates.map((candidate) => modelOf(store, candidate)),
    notes: [...NOTES, ...problems],
    files: [
      { path: "sconce.yaml", text: yamlText(SERVER, "Triton's usual ports") },
      ...yamlFiles(store, candidates),
    ],
    command: `sconce serve ${store}`,
  };
}

function modelOf(store: string, candidate: ModelCandidate): MigratedModel {
  const { name, version, file, problem, remark, settings } = candidate;
  const base = {
    name,
    version,
    file: file === "" ? "" : relative(store, file),
    settings: rowsOf(settings?.values ?? {}, candidate),
    notes: remark === "" ? [] : remark.split("; "),
  };
  if (problem !== undefined || file === "")
    return { ...base, runtime: undefined, why: problem ?? "there is no model file" };
  try {
    const { runtime } = factsOfFile(file, undefined);
    return { ...base, runtime: runtime.name, why: runtime.why };
  } catch (error) {
    return { ...base, runtime: undefined, why: ServeError.from(error).message };
  }
}

function rowsOf(values: Readonly<Record<string, unknown>>, { foreignFile }: ModelCandidate): TorchserveRow[] {
  if (foreignFile === undefined || Object.keys(values).length === 0) return [];
  return [{ key: "config.pbtxt", value: "", outcome: "same", becomes: shown(values), note: "" }];
}

/** One for each model, whatever its versions. */
function yamlFiles(store: string, candidates: readonly ModelCandidate[]): PlannedFile[] {
  const files = new Map<string, PlannedFile>();
  for (const { name, settings, foreignFile } of candidates) {
    const folder = join(store, name);
    const values = settings?.values ?? {};
    if (foreignFile === undefined || Object.keys(values).length === 0 || !existsSync(folder)) continue;
    files.set(name, { path: join(folder, "model.yaml"), text: yamlText(values, "config.pbtxt") });
  }
  return [...files.values()];
}
