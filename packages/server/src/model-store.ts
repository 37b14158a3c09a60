import type { Clock } from "./base/clock.ts";
import { ServeError } from "./base/errors.ts";
import type { Logger } from "./base/logger.ts";
import { type Config, loadModelConfig } from "./config/load-config.ts";
import type { ServerConfig } from "./config/server-options.ts";
import { createRegistry } from "./models/create-registry.ts";
import { nodeFileSystem } from "./models/file-system.ts";
import type { ManagedRegistry, RegistryOptions } from "./models/managed-registry.ts";
import { createModelControl, type ModelControl, type ModelControlMode } from "./models/model-control.ts";
import { parseVersionPolicy } from "./models/parse-version-policy.ts";
import { createRepository, type Repository } from "./models/repository.ts";
import type { LoadModel } from "./models/served-model-handle.ts";
import { LATEST_VERSION, type VersionPolicy } from "./models/version-policy.ts";

export interface ModelStoreOptions {
  readonly config: Config;
  readonly paths: readonly string[];
  readonly load: LoadModel;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The models of a server: those on disk, those in memory, and who decides which are which. */
export interface ModelStore {
  readonly registry: ManagedRegistry;
  readonly control: ModelControl;
}

export function createModelStore(options: ModelStoreOptions): ModelStore {
  const { load, clock, logger } = options;
  const { server, modelDefaults } = options.config;
  const configFiles = new Map<string, string | undefined>();
  const onDisk = createRepository({
    paths: options.paths.map((path) => ({ path })),
    fileSystem: nodeFileSystem,
  });
  const repository: Repository = {
    async scan() {
      const found = await onDisk.scan();
      for (const { name, configFile } of found.candidates) configFiles.set(name, configFile);
      return found;
    },
  };
  const versionPolicy = (name: string): VersionPolicy => {
    try {
      return parseVersionPolicy(loadModelConfig(configFiles.get(name), modelDefaults).versionPolicy);
    } catch (error) {
      // The load of that model meets the same file and puts the reason into the index.
      logger.warn({ model: name }, ServeError.from(error).message);
      return LATEST_VERSION;
    }
  };
  const registry = createRegistry({ load, clock, logger, versionPolicy, ...registryOptions(server) });
  return {
    registry,
    control: createModelControl({ mode: controlMode(server), repository, registry, clock }),
  };
}

function controlMode(config: ServerConfig): ModelControlMode {
  if (config.modelControl === "poll") return { kind: "poll", intervalMs: config.pollIntervalMs };
  return { kind: config.modelControl };
}

function registryOptions(config: ServerConfig): Omit<RegistryOptions, "load" | "clock" | "logger"> {
  return {
    readiness: config.readiness,
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
