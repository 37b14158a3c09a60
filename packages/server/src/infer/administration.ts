import type { RolloutCommand } from "../base/rollout.ts";

/** Keys of model.yaml, as they are spelled there, and what they are set to. */
export type RequestedSettings = Readonly<Record<string, unknown>>;

/** A load that brings the model's files, by their paths in its folder, such as `1/model.onnx`. */
export interface UploadedModel {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly settings: RequestedSettings | undefined;
}

/** Load and unload on request. Who may ask is the gate's business (`gate/admin-gate.ts`): edges ask there first. */
export interface Administration {
  /**
   * Looks at the repository again, then loads the model, or reloads it when its files changed, or its settings by `settings`: they come before
   * those of its files until it is unloaded. Throws `not_found`; `failed_precondition`/`load_failed` with the reason, while what served before goes
   * on, with the settings it had; `aborted`/`load_overtaken` when it is unloaded meanwhile; `failed_precondition`/`model_control_off`.
   */
  loadModel(name: string, signal: AbortSignal, settings?: RequestedSettings): Promise<void>;
  /**
   * As `loadModel`, with these files in place of the model's own until it is unloaded; when the load fails, what was there before stays. Undefined: the operator
   * does not allow it. Throws also `invalid_argument`/`bad_request` for names of files, and `resource_exhausted`/`uploads_full`.
   */
  readonly uploadModel?:
    | ((name: string, model: UploadedModel, signal: AbortSignal) => Promise<void>)
    | undefined;
  /** Stops serving the model, or one version of it; resolves when its requests finished. Throws `not_found`, or as `loadModel` when control is off. */
  unloadModel(name: string, signal: AbortSignal, version?: string): Promise<void>;
  /**
   * Begins a rollout, or does with the one in force what is asked. Resolves, after `start`, when the new version is in memory; throws `failed_precondition`/`load_failed`
   * when it did not load, `failed_precondition`/`rollout_refused`, `invalid_argument`, or like `unloadModel`.
   */
  steerRollout(name: string, signal: AbortSignal, command: RolloutCommand): Promise<void>;
  /** From now on this version answers requests that name none, as long as it is ready. Throws like `unloadModel`. */
  setDefaultVersion(name: string, version: string): void;
}
