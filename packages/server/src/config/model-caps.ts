import { isAbsolute, normalize } from "node:path";
import { ServeError } from "../base/errors.ts";
import { MODEL_OPTIONS, type ModelConfig } from "./model-options.ts";
import type { ServerConfig } from "./server-options.ts";

/** What a model may choose for itself: `model.yaml` comes with the model, from whoever made it. */
export interface ModelCaps {
  readonly instances: number;
  /** Instances × threads. */
  readonly threads: number;
  /** Queue, cache and states of sequences together. */
  readonly memoryBytes: number;
  readonly timeoutMs: number;
  readonly allowsThreadIsolation: boolean;
  /** Whether a model may name an interpreter outside its folder. */
  readonly allowsForeignPython: boolean;
  readonly allowsPickle: boolean;
  /** Whether JavaScript beside a model may run. */
  readonly allowsHandlers: boolean;
}

/** What the operator allows, with defaults from the machine. */
export function modelCaps(
  server: ServerConfig,
  machine: { readonly cores: number; readonly memoryBytes: number },
): ModelCaps {
  const { maxInstances, maxThreads } = server;
  return {
    instances: maxInstances === "auto" ? Math.max(8, 2 * machine.cores) : maxInstances,
    threads: maxThreads === "auto" ? Math.max(16, 4 * machine.cores) : maxThreads,
    memoryBytes: server.maxModelMemoryBytes ?? Math.floor(machine.memoryBytes / 4),
    timeoutMs: server.maxTimeoutMs,
    allowsThreadIsolation: server.allowThreadIsolation,
    allowsForeignPython: server.allowModelPython,
    allowsPickle: server.allowPickle,
    allowsHandlers: server.handlers === "on",
  };
}

interface Cap {
  /** The keys of model.yaml. */
  readonly keys: string;
  readonly most: number;
  readonly flag: string;
  of(config: ModelConfig): number;
  show(value: number): string;
}

/**
 * Throws `failed_precondition`/`option_not_allowed` with both numbers when a model chose more than the operator allows. `defaults`: what the
 * operator set for all models, which is always allowed.
 */
export function checkCaps(config: ModelConfig, defaults: ModelConfig, caps: ModelCaps): void {
  for (const { keys, most, flag, of, show } of capsOf(caps)) {
    const value = of(config);
    const allowed = Math.max(most, of(defaults));
    if (value > allowed)
      throw refused(`${keys} ${show(value)}; this server allows ${show(allowed)} (${flag})`);
  }
  const asksForThread = config.isolation === "thread" && defaults.isolation !== "thread";
  if (asksForThread && !caps.allowsThreadIsolation)
    throw refused("isolation thread; this server allows process (--allow-thread-isolation)");
  if (defaults.runtime === "onnx" && config.runtime !== "onnx")
    throw refused(`runtime ${config.runtime}; this server allows onnx (--runtime)`);
  if (defaults.runtime === "onnx" && config.shadow !== undefined && config.shadow !== defaults.shadow)
    throw refused("a shadow, which PyTorch computes; this server allows onnx (--runtime)");
  const { python } = config;
  const isForeign = python !== undefined && python !== defaults.python && leadsOut(python);
  if (isForeign && !caps.allowsForeignPython)
    throw refused(
      `the interpreter ${python.slice(0, 80)}; this server allows those in the model's own folder (--allow-model-python)`,
    );
}

function leadsOut(path: string): boolean {
  return isAbsolute(path) || /^\.\.([/\\]|$)/.test(normalize(path));
}

function capsOf({ instances, threads, memoryBytes, timeoutMs }: ModelCaps): readonly Cap[] {
  const timeout = (keys: string, of: Cap["of"]): Cap => ({
    keys,
    most: timeoutMs,
    flag: "--max-timeout",
    of,
    show: (ms) => `${ms / 1000} s`,
  });
  return [
    {
      keys: "instances",
      most: instances,
      flag: "--max-instances",
      of: (config) => count(config.instances),
      show: String,
    },
    {
      keys: "instances × threads",
      most: threads,
      flag: "--max-threads",
      of: (config) => Math.max(1, count(config.instances)) * count(config.threads),
      show: String,
    },
    {
      keys: "max_queue, cache and max_state together",
      most: memoryBytes,
      flag: "--max-model-memory",
      of: (config) => config.maxQueueBytes + (config.cacheBytes ?? 0) + stateBytes(config),
      show: (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`,
    },
    {
      keys: "task_workers",
      most: instances,
      flag: "--max-instances",
      of: (config) => count(config.taskWorkers),
      show: String,
    },
    timeout("execution_timeout", (config) => config.executionTimeoutMs),
    timeout("load_timeout", (config) => config.loadTimeoutMs),
    timeout("queue_timeout", (config) => config.queueTimeoutMs ?? 0),
  ];
}

/** Without `state` it may still have one, as its program says: the default counts as little as that of a model without. */
function stateBytes({ state, maxStateBytes }: ModelConfig): number {
  const isDefault = maxStateBytes === MODEL_OPTIONS.maxStateBytes.default;
  return state === undefined && isDefault ? 0 : maxStateBytes;
}

/** `auto` never asks for more than the machine has. */
function count(value: number | "auto"): number {
  return value === "auto" ? 0 : value;
}

function refused(what: string): ServeError {
  return new ServeError("failed_precondition", `model.yaml asks for ${what}`, {
    reason: "option_not_allowed",
  });
}
