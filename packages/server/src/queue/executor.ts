import type { RunRequest, RunResult } from "../base/run.ts";

/**
 * One place where a model runs: the scheduler's view of a runtime's instance. Up to `pipelineDepth` runs may be outstanding; they are
 * executed in the order given.
 */
export interface Executor {
  readonly id: string;
  /** True while it takes runs. A change is announced by `Scheduler.executorsChanged()`. */
  readonly isReady: boolean;
  /** True when it will never be ready again (crash loop, closed). Absent: an executor that is not ready may come back. */
  readonly isGone?: boolean;
  /**
   * Runs a batch. Rejects with ServeError; the scheduler acts on `reason`:
   * `worker_died` and `execution_timeout`: the worker was lost while this run executed;
   * `worker_died_waiting`: the worker was lost before this run began, so running it elsewhere is always safe;
   * anything else (`model_failed`, `bad_output`, …): the worker lives, this batch failed.
   */
  run(request: RunRequest): Promise<RunResult>;
}
