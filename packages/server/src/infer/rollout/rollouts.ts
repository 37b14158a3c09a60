import { ServeError } from "../../base/errors.ts";
import type { RolloutCommand, RolloutSettings, RolloutStatus } from "../../base/rollout.ts";
import type { ManagedRegistry } from "../../models/managed-registry.ts";
import type { ModelCandidate } from "../../models/model-candidate.ts";
import type { ServedModel } from "../../models/registry.ts";
import type { Door } from "../inference.ts";
import { Rollout, type RolloutParts } from "./rollout.ts";
import { rolloutTask } from "./rollout-task.ts";

export interface RolloutsOptions extends Omit<RolloutParts, "registry"> {
  readonly registry: ManagedRegistry;
  /** `given` comes before what the model's settings say. Throws `invalid_argument`. */
  readSettings(
    candidate: ModelCandidate | undefined,
    given?: Readonly<Record<string, string>>,
  ): RolloutSettings;
  /** Throws `invalid_argument`. */
  readShare(text: string): number;
}

/** What is rolled out on this server. */
export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #active = new Map<string, Rollout>();
  /** The last one of a model, over or not. */
  readonly #last = new Map<string, Rollout>();
  /** Settings of a start on request. */
  readonly #given = new Map<string, Readonly<Record<string, string>>>();
  readonly #changed = new Set<string>();
  readonly #stopWatching: () => void;
  /** Whether any is in force: asked for every request. */
  isAny = false;

  constructor(options: RolloutsOptions) {
    this.#options = options;
    this.#stopWatching = options.registry.watch((model) => this.#onChange(model));
  }

  /** The rollout that requests of this model go by, if any. */
  of(model: string): Rollout | undefined {
    const rollout = this.#active.get(model);
    return rollout === undefined || rollout.isClosed ? undefined : rollout;
  }

  /** Where requests come in that are for what the model is for, which name no version. */
  door(model: string, stable: ServedModel): Door {
    const [rollout, { task }] = [this.of(model), stable];
    if (rollout === undefined || task === undefined) return stable;
    return { task: rolloutTask(rollout, task), rejectEarly: (head) => stable.rejectEarly(head) };
  }

  /** The one in force, else the last one; undefined: there was none. */
  status(model: string): RolloutStatus | undefined {
    return this.#last.get(model)?.status;
  }

  /**
   * Does at once what is asked. After `start` the caller loads the model. Throws `failed_precondition`/`rollout_refused`, `invalid_argument`, `not_found`.
   */
  steer(model: string, { action, version, settings }: RolloutCommand): void {
    const { registry, readSettings, readShare } = this.#options;
    if (action === "start") {
      if (version === undefined) throw bad("version: which version is to be rolled out?");
      if (this.of(model) !== undefined)
        throw refused(`a rollout of model "${model}" is under way: abort it first`);
      readSettings(registry.candidate(model, version), settings);
      this.#given.set(model, settings);
      registry.beginTrial(model, version);
      this.look(model);
      return;
    }
    const rollout = this.of(model);
    if (rollout === undefined) {
      // Throws for an unknown model.
      registry.isModelReady(model, undefined);
      throw refused(`there is no rollout of model "${model}"`);
    }
    switch (action) {
      case "pause":
      case "resume":
        rollout.happen({ kind: action });
        break;
      case "promote":
        if (rollout.state.kind === "loading")
          throw refused(`version ${rollout.trial.candidate} is not loaded yet`);
        rollout.happen({ kind: "promote", detail: "asked for" });
        break;
      case "abort":
        rollout.happen({ kind: "roll_back", reason: "aborted", detail: "asked for" });
        break;
      case "advance": {
        const { share } = settings;
        if (rollout.state.kind === "loading")
          throw refused(`version ${rollout.trial.candidate} is not loaded yet`);
        rollout.happen({ kind: "advance", share: share === undefined ? undefined : readShare(share) });
      }
    }
    this.#tidy(model);
  }

  close(): void {
    this.#stopWatching();
    for (const rollout of this.#active.values()) rollout.close();
    this.#active.clear();
    this.isAny = false;
  }

  /** A change may be one of many of this turn, and is in the middle of the registry's own work. */
  #onChange(model: string): void {
    const { registry } = this.#options;
    if (!this.#active.has(model) && registry.trial(model) === undefined) {
      if (this.#last.has(model) && !registry.isKnown(model)) this.#last.delete(model);
      return;
    }
    if (this.#changed.size === 0) queueMicrotask(() => this.#lookAtChanged());
    this.#changed.add(model);
  }

  #lookAtChanged(): void {
    const models = [...this.#changed];
    this.#changed.clear();
    for (const model of models) this.look(model);
  }

  /** Takes note of what became of a model. */
  look(model: string): void {
    const status = this.#options.registry.trial(model);
    const current = this.#active.get(model);
    if (status === undefined) {
      this.#withdraw(current, "its files are gone");
    } else {
      const isSame = current?.trial.candidate === status.candidate && current.trial.stable === status.stable;
      if (!isSame || current.isClosed) {
        this.#withdraw(current, "another version came");
        this.#begin(model, status);
      }
      this.#active.get(model)?.look(status);
    }
    this.#tidy(model);
  }

  #begin(model: string, trial: { readonly stable: string; readonly candidate: string }): void {
    const { registry, readSettings } = this.#options;
    const given = this.#given.get(model);
    this.#given.delete(model);
    let settings: RolloutSettings;
    try {
      settings = readSettings(registry.candidate(model, trial.candidate), given);
    } catch (thrown) {
      registry.endTrial(model, {
        kind: "held_back",
        reason: `rolled back: ${ServeError.from(thrown).message}`,
      });
      return;
    }
    const rollout = new Rollout(model, trial, { ...this.#options, settings });
    this.#active.set(model, rollout);
    this.#last.set(model, rollout);
    this.isAny = true;
  }

  /** Its trial ended without it. */
  #withdraw(rollout: Rollout | undefined, detail: string): void {
    if (rollout === undefined || rollout.isClosed) return;
    rollout.close();
    rollout.happen({ kind: "roll_back", reason: "withdrawn", detail });
  }

  #tidy(model: string): void {
    if (this.#active.get(model)?.isClosed === true) this.#active.delete(model);
    this.isAny = this.#active.size > 0;
  }
}

function refused(why: string): ServeError {
  return new ServeError("failed_precondition", why, { reason: "rollout_refused" });
}

function bad(why: string): ServeError {
  return new ServeError("invalid_argument", why, { reason: "bad_request" });
}
