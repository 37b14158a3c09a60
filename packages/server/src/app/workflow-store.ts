import { existsSync, statSync } from "node:fs";
import { copyFile, link, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openZip } from "@sconce/torch/formats";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { WorkflowNode } from "../base/workflow.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { InvalidDag, readWorkflowSpec } from "../config/torchserve/workflow-spec.ts";
import { createYamlReader, type YamlReader } from "../config/yaml-reader.ts";
import { archiveName } from "../edge/torchserve/archive-name.ts";
import { failing, modelNotFound } from "../edge/torchserve/torchserve-failure.ts";
import { type WorkflowStore, workflowNotFound } from "../edge/torchserve/workflows.ts";
import type { ManagedRegistry } from "../models/managed-registry.ts";
import type { ModelControl } from "../models/model-control.ts";
import type { ModelSources } from "./model-sources.ts";

const MANIFEST = "WAR-INF/MANIFEST.json";
const MOST_BYTES = 2 ** 20;
const FILE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

interface WorkflowStoreOptions {
  /** The operator's folder of `.war` files; undefined: there is none. */
  readonly store: string | undefined;
  /** Private to the server, and a folder of models that it serves: each handler of a workflow is one. Not owned. */
  readonly folder: string;
  readonly yaml: YamlReader;
  /** The archive that the server knows under a model's name. */
  archiveOf(model: string): string | undefined;
  /** Looks at the models on disk again. */
  refresh(): Promise<void>;
}

/** Workflows of a folder, whose handlers become models of their own. */
function createWorkflowStore({
  store,
  folder,
  yaml,
  archiveOf,
  refresh,
}: WorkflowStoreOptions): WorkflowStore {
  let read = 0;
  const specOf = async (path: string): Promise<Readonly<Record<string, unknown>> & { name: string }> => {
    const { name, spec } = readArchive(path);
    // Nobody vouches for it, so that it is read like other settings of models.
    const file = join(folder, `.spec-${++read}.yaml`);
    await writeFile(file, spec, { mode: 0o600 });
    try {
      return { ...(await yaml.read(folder, file)).values, name };
    } finally {
      await rm(file, { force: true });
    }
  };
  return {
    async open(url, wanted) {
      const path = pathOf(store, url);
      try {
        const { name, ...spec } = await specOf(path);
        const workflow = readWorkflowSpec(spec, { name: wanted ?? name, url });
        await refresh();
        return { workflow, place: (node) => place(node, { folder, war: path, archiveOf }) };
      } catch (error) {
        const message = error instanceof InvalidDag ? error.message : ServeError.from(error).message;
        const type = error instanceof InvalidDag ? "InvalidDAGException" : "InvalidWorkflowException";
        throw failing({ code: 400, type, message });
      }
    },
    async remove(model) {
      await rm(join(folder, model), { recursive: true, force: true });
    },
  };
}

function pathOf(store: string | undefined, url: string): string {
  if (store === undefined) throw workflowNotFound("Workflow store has not been configured.");
  if (url.includes("..")) throw workflowNotFound(`Relative path is not allowed in url: ${url.slice(0, 200)}`);
  if (!FILE.test(url))
    throw failing({
      code: 400,
      type: "BadRequestException",
      message:
        "url: only the name of a file in the workflow store is taken, such as search.war; nothing is fetched",
    });
  const path = join(store, url);
  if (!existsSync(path) || !statSync(path).isFile())
    throw workflowNotFound(`Workflow not found in workflow store: ${url}`);
  return path;
}

/** What a workflow's archive says of itself. Throws `invalid_argument`. */
function readArchive(path: string): { readonly name: string; readonly spec: Buffer } {
  const source = openFileSource(path);
  try {
    const zip = openZip(source, nodePlatform);
    const read = (name: string): Buffer => {
      const entry = zip.entries.get(name);
      if (entry === undefined) throw bad(`there is no ${name} in it: pack it with torch-workflow-archiver`);
      if (entry.byteLength > MOST_BYTES) throw bad(`${name} is larger than ${MOST_BYTES} bytes`);
      return Buffer.from(zip.read(name));
    };
    const { workflow } = JSON.parse(read(MANIFEST).toString()) as {
      readonly workflow?: Readonly<Record<string, unknown>>;
    };
    const [name, specFile] = [workflow?.["workflowName"], workflow?.["specFile"]];
    if (typeof name !== "string") throw bad("Workflow name is not defined.");
    if (typeof specFile !== "string") throw bad("its manifest names no specFile");
    return { name, spec: read(specFile) };
  } catch (cause) {
    if (cause instanceof ServeError) throw cause;
    throw bad(cause instanceof Error ? cause.message : "it cannot be read");
  } finally {
    source.close();
  }
}

/** Makes a folder that is a model of the node's handler. */
async function place(
  { name, model, url, ...wanted }: WorkflowNode,
  { folder, war, archiveOf }: Pick<WorkflowStoreOptions, "folder" | "archiveOf"> & { readonly war: string },
): Promise<void> {
  const archive = url === undefined ? war : archiveOf(archiveName(url));
  if (archive === undefined) throw modelNotFound(`Model not found at: ${url}`);
  // Whoever looks at the folder sees all of it, or nothing.
  const home = join(folder, `.${model}`);
  await mkdir(home, { mode: 0o700 });
  const settings = {
    instances: wanted.workers,
    max_batch_size: wanted.batchSize,
    ...(wanted.maxBatchDelayMs > 0 && { max_queue_delay: `${wanted.maxBatchDelayMs}ms` }),
    // Which of the functions that are in the archive.
    ...(url === undefined && { class: name }),
  };
  await writeFile(join(home, "model.yaml"), `${JSON.stringify(settings)}\n`, { mode: 0o600 });
  const file = join(home, "model.mar");
  // A second name of the same file takes no room, and cannot be had across disks.
  await link(archive, file).catch(() => copyFile(archive, file));
  await rename(home, join(folder, model));
}

function bad(why: string): ServeError {
  return new ServeError("invalid_argument", why);
}

/** The store of a server: the folder that it was told, or the first that it serves. */
export function workflowStoreOf(
  { workflowStore }: ServerConfig,
  {
    sources,
    registry,
    clock,
    control,
  }: {
    readonly sources: ModelSources;
    readonly registry: ManagedRegistry;
    readonly clock: Clock;
    readonly control: ModelControl;
  },
): WorkflowStore {
  const { paths, workflowsFolder } = sources;
  const served = paths.find(({ path }) => existsSync(path) && statSync(path).isDirectory())?.path;
  return createWorkflowStore({
    store: workflowsFolder === undefined ? undefined : (workflowStore ?? served),
    folder: workflowsFolder ?? "",
    yaml: createYamlReader({ clock }),
    refresh: () => control.refresh(),
    archiveOf(model) {
      const candidate = registry.isKnown(model) ? registry.candidate(model, undefined) : undefined;
      return candidate?.format === "mar" && candidate.problem === undefined ? candidate.file : undefined;
    },
  });
}
