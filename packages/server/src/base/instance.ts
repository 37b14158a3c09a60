import type { RunRequest, RunResult } from "./run.ts";

/**
 * An instance's life. `restarting` comes back by itself; `failed` does not (crash loop, changed file) until the model is reloaded.
 */
export type InstanceState =
  | { readonly kind: "ready" }
  | { readonly kind: "restarting"; readonly attempt: number; readonly reason: string }
  | {
      readonly kind: "failed";
      readonly reason: string;
      /** Its files are not what was loaded any more: what they are now may load. */
      readonly isOutdated?: true;
    }
  | { readonly kind: "closed" };

/**
 * One loaded copy of a model, one run at a time in the order given. `run` may be called again before the previous one settled: the
 * worker then goes on without waiting for this process (a depth of 2 hides the way there and back).
 */
export interface Instance {
  readonly id: string;
  readonly state: InstanceState;
  /** Its runs end when nobody wants their answer any more (`RunRequest.signal`). Default: they go on. */
  readonly takesSignal?: boolean;
  /**
   * Runs a batch. Rejects with ServeError:
   * `unavailable`/`worker_died` the worker ended while it may have been executing this run;
   * `unavailable`/`worker_died_waiting` the worker ended before it began this run, so running it elsewhere is always safe;
   * `unavailable`/`model_file_changed` the model's file changed, so that the result may be of neither content: the instance loads it again;
   * `unavailable`/`instance_not_ready` the instance is restarting, failed or closed;
   * `invalid_argument`/`invalid_input` the model refused the inputs' sizes or values;
   * `deadline_exceeded`/`execution_timeout` it hung and was killed;
   * `internal`/`model_failed` the model threw; `internal`/`bad_output` it returned something that is not a valid result.
   */
  run(request: RunRequest): Promise<RunResult>;
  /** Its worker process; undefined: it has none now. */
  readonly pid?: number | undefined;
  /** Resident memory of its worker process; undefined: there is none now, or the system does not say. */
  residentBytes(): Promise<number | undefined>;
}
