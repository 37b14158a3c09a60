import { ServeError } from "../base/errors.ts";
import { once } from "../base/once.ts";
import { type Config, loadModelConfig } from "../config/load-config.ts";
import { readRollout, readShare } from "../config/rollout-settings.ts";
import type { Administration } from "../infer/administration.ts";
import type { RolloutParts } from "../infer/rollout/rollout.ts";
import type { Rollouts } from "../infer/rollout/rollouts.ts";
import type { ManagedRegistry } from "../models/managed-registry.ts";
import type { ManagedModels } from "./managed-models.ts";

export interface OpenRolloutsOptions extends Pick<RolloutParts, "clock" | "logger" | "random" | "metrics"> {
  readonly config: Config;
  readonly registry: ManagedRegistry;
}

/** What is rolled out, whose code is loaded when the first new version comes. */
export interface OpenRollouts {
  /** Undefined: nothing was rolled out yet. */
  readonly current: Rollouts | undefined;
  /** The control plane, with rollouts. */
  administration(control: ManagedModels["control"]): Administration;
  close(): void;
}

export function openRollouts(options: OpenRolloutsOptions): OpenRollouts {
  const { registry, config, logger } = options;
  let current: Rollouts | undefined;
  let isClosed = false;
  const load = once(async (): Promise<Rollouts> => {
    const [{ Rollouts }, { createCheckedSubmit }] = await Promise.all([
      import("../infer/rollout/rollouts.ts"),
      import("../infer/checked-submit.ts"),
    ]);
    const { clock, random, metrics } = options;
    current = new Rollouts({
      registry,
      clock,
      random,
      metrics,
      logger,
      submitChecked: createCheckedSubmit(clock),
      defer: setImmediate,
      readShare,
      readSettings(candidate, given) {
        const own = loadModelConfig(candidate?.settings, config.modelDefaults).rollout;
        return readRollout({ ...own, ...given })!;
      },
    });
    if (isClosed) current.close();
    for (const name of registry.names()) if (registry.trial(name) !== undefined) current.look(name);
    return current;
  });
  // Until the code is there, the registry keeps the new version from requests.
  const stopWatching = registry.watch((model) => {
    if (registry.trial(model) === undefined) return;
    stopWatching();
    load().catch((error: unknown) => logger.error({ err: error }, "rollouts cannot be led"));
  });

  return {
    get current() {
      return current;
    },
    administration: (control) => ({
      uploadModel:
        control.uploadModel && ((name, model, signal) => control.uploadModel!(name, model, signal)),
      loadModel: (name, signal, settings) => control.loadModel(name, signal, settings),
      unloadModel: (name, signal, version) => control.unloadModel(name, signal, version),
      setDefaultVersion: (name, version) => control.setDefaultVersion(name, version),
      async steerRollout(name, signal, command) {
        if (command.action === "start") {
          control.requireExplicit();
          // What is to be rolled out may have come just now.
          await control.refresh();
        }
        const rollouts = await load();
        rollouts.steer(name, command);
        if (command.action !== "start") return;
        await control.loadModel(name, signal);
        const state = rollouts.status(name)?.state;
        if (state?.kind === "rolled_back")
          throw new ServeError("failed_precondition", `model "${name}": ${state.detail}`, {
            reason: "load_failed",
          });
      },
    }),
    close() {
      isClosed = true;
      stopWatching();
      current?.close();
    },
  };
}
