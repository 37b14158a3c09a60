import { dirname, isAbsolute, join, resolve } from "node:path";
import { usableCores } from "../base/cgroup.ts";
import { ServeError } from "../base/errors.ts";
import type { ModelCaps } from "../config/model-caps.ts";
import type { ModelConfig } from "../config/model-options.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";
import { isCodeArchive, isCodeNeeded } from "../models/model-file.ts";
import type { LoadOptions, LoadSpec, PythonOptions } from "../runtime/runtime.ts";
import type { ModelLoaderOptions } from "./model-loader-options.ts";
import { mayAsk } from "./own-settings.ts";

/** What a runtime is told to load for a candidate. Throws ServeError where its settings cannot be. */
export function loadSpec(
  config: ModelConfig,
  candidate: ModelCandidate,
  { caps, defaults, translationCache }: Pick<ModelLoaderOptions, "caps" | "defaults" | "translationCache">,
): LoadSpec {
  const { name, version, file, root, codeFile, format } = candidate;
  const options = {
    ...loadOptions(config, candidate, caps),
    translationCache,
    runtime: config.runtime,
    python: pythonOptions(config, candidate, { caps, defaults }),
    mayAsk: mayAsk(candidate, caps),
  };
  // Beside a program the code is not what is served.
  const code = isCodeNeeded(format) ? codeFile : undefined;
  return { name, version, file, root, codeFile: isCodeArchive(format) ? file : code, options };
}

function pythonOptions(
  config: ModelConfig,
  candidate: ModelCandidate,
  { caps, defaults }: Pick<ModelLoaderOptions, "caps" | "defaults">,
): PythonOptions {
  const { configFile, codeFile, file } = candidate;
  const homes = [configFile, file, codeFile].flatMap((path) => (path === undefined ? [] : [dirname(path)]));
  const isModels = config.python !== defaults.python;
  return {
    interpreter:
      config.python === undefined
        ? undefined
        : interpreterPath(config.python, isModels ? homes[0] : undefined),
    folders: [...new Set(homes)],
    class: config.class,
    arguments: config.arguments,
    outputs: config.outputs,
    compile: config.compile,
    envelope: config.envelope === "none" ? undefined : config.envelope,
    // The default is for models that say nothing.
    maxBatchSize:
      candidate.settings?.values["max_batch_size"] === undefined ? undefined : config.maxBatchSize,
    allowsPickle: caps.allowsPickle,
  };
}

/** A path that a model.yaml has begins where the model.yaml lies; an operator's may also be the name of a program. */
function interpreterPath(path: string, home: string | undefined): string {
  if (isAbsolute(path)) return path;
  if (home !== undefined) return join(home, path);
  return /[/\\]/.test(path) ? resolve(path) : path;
}

/** The part that is the same for whatever a model consists of. */
export function loadOptions(config: ModelConfig, candidate: ModelCandidate, caps: ModelCaps): LoadOptions {
  const cores = usableCores();
  const instances = config.instances === "auto" ? Math.min(cores, caps.instances) : config.instances;
  return {
    instances,
    threadsPerInstance:
      config.threads === "auto" ? Math.max(1, Math.floor(cores / instances)) : config.threads,
    mayUseFewerThreads: config.threads === "auto",
    isolation: config.isolation,
    loadTimeoutMs: config.loadTimeoutMs,
    executionTimeoutMs: config.executionTimeoutMs,
    memoryLimitBytes: config.memoryLimitBytes,
    memory: config.memory,
    precision: config.precision,
    mayMixRows: config.inexactBatching,
    weightsFile: config.weights === undefined ? undefined : weightsPath(config.weights, candidate),
    inputs: config.inputs,
    rename: config.rename,
    ports: candidate.settings?.ports,
    state: config.state,
    device: config.device,
    deviceFallback: config.deviceFallback,
    warmupRuns: config.warmupRuns,
  };
}

/** A file beside model.yaml: a bare name, so that a model cannot reach out of its folder. */
function weightsPath(name: string, candidate: ModelCandidate): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new ServeError(
      "invalid_argument",
      `weights in model.yaml: expected the name of a file beside it, got ${JSON.stringify(name.slice(0, 80))}`,
    );
  }
  return join(dirname(candidate.configFile ?? candidate.file), name);
}
