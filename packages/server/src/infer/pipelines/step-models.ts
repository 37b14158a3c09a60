import type { CancelSignal } from "../../base/call-signal.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";

/** Where a pipeline finds the models of its steps. `version` undefined: as the version policy says. */
export interface StepModels {
  /** The version that answers now; it counts as used. */
  find(model: string, version: string | undefined): ServedModelHandle | undefined;
  /** Whether it answers, if need be after a load on first use. */
  isReady(model: string, version: string | undefined): boolean;
  /** Why `find` finds none, in words for the user. */
  whyNot(model: string, version: string | undefined): string;
  /** Waits for a model that loads on first use, then `find` is to be asked again. Rejects with ServeError. */
  waitForLoad(model: string, version: string | undefined, signal: CancelSignal): Promise<void>;
  /** Calls `listener` with the name of a model whenever a version of it changed; the returned function stops that. */
  onChange(listener: (model: string) => void): () => void;
}

/** What the tensors between steps cost this process. */
export interface TensorLedger {
  /** `held`: what this request holds already. Throws `unavailable`/`memory_budget` when there is no room. */
  grow(bytes: number, held: number): void;
  shrink(bytes: number): void;
}
