import { dirname } from "node:path";
import { usableCores } from "../base/cgroup.ts";
import type { Clock } from "../base/clock.ts";
import type { ModelConfig } from "../config/model-options.ts";
import { createTaskModel } from "../infer/task/task-model.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";
import type { ServedModelHandle } from "../models/served-model-handle.ts";
import type { LoadOptions, Runtime } from "../runtime/runtime.ts";
import { createTaskStages } from "../runtime/tasks/task-stages.ts";
import type { WantedTask } from "./wanted-task.ts";

interface TaskParts {
  readonly task: WantedTask;
  readonly runtime: Runtime;
  readonly config: ModelConfig;
  readonly candidate: ModelCandidate;
  /** Those of the model itself. */
  readonly options: LoadOptions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const MAX_AUTO_WORKERS = 4;
const DEFAULT_WAITING = 256;

/** The model with the stages of its task around it. Ends the model when they do not load; rejects as `Runtime.load` does. */
export async function loadTask(served: ServedModelHandle, parts: TaskParts): Promise<ServedModelHandle> {
  const { runtime, config, candidate, clock, signal } = parts;
  const { version, root, file, configFile } = candidate;
  const { inputs, outputs } = served.description.signature;
  const homes = [configFile, file].flatMap((path) => (path === undefined ? [] : [dirname(path)]));
  const { name, handler } = parts.task;
  const task = { name, handler, folders: [...new Set(homes)], inputs, outputs };
  const options: LoadOptions = {
    ...parts.options,
    instances: workersOf(config),
    isolation: "process",
    weightsFile: undefined,
  };
  try {
    const loaded = await runtime.load(
      { name: candidate.name, version, root, file, task, options },
      { signal },
    );
    const stages = createTaskStages(loaded, { maxWaiting: config.maxQueueSize ?? DEFAULT_WAITING });
    return createTaskModel(served, { name, stages, clock });
  } catch (error) {
    served.destroy("its task does not load");
    throw error;
  }
}

/** Beside a model on two cores one worker is enough, and on many a few. */
function workersOf({ taskWorkers }: ModelConfig): number {
  if (taskWorkers !== "auto") return taskWorkers;
  return Math.max(1, Math.min(MAX_AUTO_WORKERS, Math.floor(usableCores() / 4)));
}
