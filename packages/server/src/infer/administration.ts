/** Load and unload on request. Who may ask is the gate's business (`gate/admin-gate.ts`): edges ask there first, and pass on `by`, who it is. */
export interface Administration {
  /**
   * Looks at the repository again, then loads the model, or reloads it when its files changed. Throws `not_found`;
   * `failed_precondition`/`load_failed` with the reason, while what served before goes on; `aborted`/`load_overtaken` when it is unloaded
   * meanwhile; `failed_precondition`/`model_control_off`.
   */
  loadModel(name: string, signal: AbortSignal, by: string): Promise<void>;
  /** Stops serving the model; resolves when its requests finished. Throws `not_found`, or as `loadModel` when control is off. */
  unloadModel(name: string, signal: AbortSignal, by: string): Promise<void>;
}
