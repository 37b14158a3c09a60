import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { ServeError } from "../base/errors.ts";
import type { ModelConfig } from "../config/model-options.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";

/** What surrounds a model: a task by its name, or the file with code of its own. */
export interface WantedTask {
  readonly name: string;
  readonly handler: string | undefined;
}

const FILES = ["handler.js", "handler.mjs", "handler.ts"];

/**
 * Finds out what surrounds a model; undefined: nothing does. `allowed`: code of models may run. Throws `failed_precondition` when it may not, or when both
 * are there.
 */
export function wantedTask(
  { task }: ModelConfig,
  candidate: ModelCandidate,
  allowed: { readonly handlers: boolean },
): WantedTask | undefined {
  const handler = handlerOf(candidate);
  if (handler === undefined) return task === "none" ? undefined : { name: task, handler };
  if (task !== "none")
    throw refused(
      `the folder holds ${handler}, and model.yaml sets the task ${task}: a model has one of them`,
    );
  if (!allowed.handlers)
    throw new ServeError(
      "failed_precondition",
      `the folder holds ${handler}, which is code, and this server runs none (--handlers, --runtime): take it away, or allow it`,
      { reason: "option_not_allowed" },
    );
  return { name: "handler", handler };
}

/** The name of the file beside the model; a file that lies loose among other models has none. */
function handlerOf({ configFile, file, root }: ModelCandidate): string | undefined {
  const isLoose =
    configFile === undefined && dirname(file) === root && basename(file, extname(file)) !== "model";
  if (isLoose) return undefined;
  const homes = [configFile, file].flatMap((path) => (path === undefined ? [] : [dirname(path)]));
  return FILES.find((name) => homes.some((home) => existsSync(join(home, name))));
}

function refused(message: string): ServeError {
  return new ServeError("failed_precondition", message, { reason: "bad_task_files" });
}
