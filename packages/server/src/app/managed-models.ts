import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { type Config, loadModelConfig } from "../config/load-config.ts";
import { readinessOf } from "../config/readiness-option.ts";
import { readRollout } from "../config/rollout-settings.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { createYamlReader } from "../config/yaml-reader.ts";
import { createRegistry } from "../models/create-registry.ts";
import { nodeFileSystem } from "../models/file-system.ts";
import type { ManagedRegistry, RegistryOptions } from "../models/managed-registry.ts";
import { createModelControl, type ModelControl, type ModelControlMode } from "../models/model-control.ts";
import { createModelUploads } from "../models/model-uploads.ts";
import { createRepository } from "../models/repository.ts";
import type { LoadModel } from "../models/served-model-handle.ts";
import { createUploadingControl, type UploadingControl } from "../models/uploading-control.ts";
import { parseVersionPolicy } from "../models/version-policy.ts";
import type { ModelSources } from "./model-sources.ts";
import type { RolloutFile } from "./rollout-file.ts";

export interface ManagedModelsOptions {
  readonly config: Config;
  readonly sources: ModelSources;
  readonly load: LoadModel;
  /** What is known of rollouts before this start; undefined: nothing. */
  readonly rolloutFile: RolloutFile | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of every version that is gone for good. */
  readonly onForgotten: (model: string, version: string) => void;
}

/** The models of a server: those on disk, those in memory, and who decides which are which. */
export interface ManagedModels {
  readonly registry: ManagedRegistry;
  readonly control: ModelControl & Partial<UploadingControl>;
}

export function createManagedModels(options: ManagedModelsOptions): ManagedModels {
  const { load, clock, logger, onForgotten, rolloutFile } = options;
  const { server, modelDefaults, modelSettings } = options.config;
  const parts = {
    fileSystem: nodeFileSystem,
    yaml: createYamlReader({ clock }),
    acceptsPickles: server.allowPickle,
  };
  const { uploadsFolder } = options.sources;
  const uploads =
    uploadsFolder === undefined
      ? undefined
      : createModelUploads({
          folder: uploadsFolder,
          maxBytes: server.uploadsSizeBytes,
          open: (path) => createRepository({ paths: [path], ...parts }),
        });
  const { paths, workflowsFolder } = options.sources;
  const own = workflowsFolder === undefined ? [] : [{ path: workflowsFolder }];
  const onDisk = createRepository({ paths: [...paths, ...own], ...parts });
  const registry = createRegistry({
    load,
    clock,
    logger,
    onForgotten,
    versionPolicy: ({ settings }) =>
      parseVersionPolicy(loadModelConfig(settings, modelDefaults).versionPolicy),
    trials: ({ settings }) => readRollout(loadModelConfig(settings, modelDefaults).rollout),
    ...(rolloutFile !== undefined && { trialMemory: rolloutFile }),
    ...registryOptions(server),
  });
  const control = createModelControl({
    mode: controlMode(server),
    repository: uploads?.over(onDisk) ?? onDisk,
    registry,
    clock,
    stores: options.sources.stores,
    settings: modelSettings,
    ...(rolloutFile !== undefined && { recognize: (found) => rolloutFile.recognize(found) }),
  });
  return { registry, control: uploads === undefined ? control : createUploadingControl(control, uploads) };
}

function controlMode(config: ServerConfig): ModelControlMode {
  if (config.modelControl === "poll") return { kind: "poll", intervalMs: config.pollIntervalMs };
  return { kind: config.modelControl };
}

function registryOptions(config: ServerConfig): Omit<RegistryOptions, "load" | "clock" | "logger"> {
  return {
    readiness: readinessOf(config.readiness),
    allowEmpty: config.allowEmpty,
    lazy: config.lazyLoading,
    concurrentLoads: config.loadConcurrency,
    drainTimeoutMs: config.drainTimeoutMs,
    ...(config.modelControl === "explicit" ? { explicit: { startup: config.loadModels } } : {}),
    ...(config.maxLoadedModels === undefined ? {} : { maxLoadedModels: config.maxLoadedModels }),
    ...(config.modelMemoryBudgetBytes === undefined
      ? {}
      : { memoryBudgetBytes: config.modelMemoryBudgetBytes }),
  };
}
