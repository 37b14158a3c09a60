import type { Clock } from "../base/clock.ts";
import type { Signature } from "../base/signature.ts";
import { Admission } from "./admission.ts";
import { type BatchPlan, compileBatchPlan } from "./batch-plan.ts";
import { Batcher } from "./batcher.ts";
import type { Executor } from "./executor.ts";
import { ExecutorPool } from "./executor-pool.ts";
import { LiveJobs } from "./live-jobs.ts";
import { type QueueObserver, silentObserver } from "./observer.ts";
import type { QueueConfig } from "./queue-config.ts";
import type { Quota } from "./quota.ts";
import { Recovery } from "./recovery.ts";
import { ServiceEstimate } from "./service-estimate.ts";
import { Tally } from "./tally.ts";

export interface SchedulerOptions {
  readonly signature: Signature;
  readonly config: QueueConfig;
  /** May change while the scheduler lives; `executorsChanged` tells. */
  readonly executors: readonly Executor[];
  readonly clock: Clock;
  /** Time without what this process slept through: how long runs really take. Default: the clock. */
  readonly awake?: Clock;
  /** In [0, 1), for jitter. Default `Math.random`. */
  readonly random?: () => number;
  readonly observer?: QueueObserver;
  /**
   * Calls back once the events at hand are handled (`setImmediate`), so that requests which arrived together run together instead of
   * the first one alone. Default: at once.
   */
  readonly defer?: (callback: () => void) => void;
  /** Requests per tenant. Shared between schedulers when the quota spans models. */
  readonly quota?: Quota;
}

/** What a scheduler is made of. Every part knows only those above it. */
export interface SchedulerParts {
  readonly clock: Clock;
  readonly awake: Clock;
  readonly config: QueueConfig;
  readonly plan: BatchPlan;
  readonly tally: Tally;
  readonly batcher: Batcher;
  readonly pool: ExecutorPool;
  readonly estimate: ServiceEstimate;
  readonly recovery: Recovery;
  readonly jobs: LiveJobs;
  readonly admission: Admission;
}

/** Throws `invalid_argument` when the padding asked for does not fit the signature. */
export function makeParts(options: SchedulerOptions): SchedulerParts {
  const { config, clock, executors } = options;
  const plan = compileBatchPlan(options.signature, config);
  const tally = new Tally(options.observer ?? silentObserver);
  const batcher = new Batcher({
    maxRows: plan.maxRows,
    maxDelayMs: config.maxQueueDelayMs,
    preferredSizes: config.preferredBatchSizes,
    levels: config.priorityLevels,
  });
  const pool = new ExecutorPool(executors, config.pipelineDepth, clock.nowMs());
  const estimate = new ServiceEstimate();
  const recovery = new Recovery(config);
  const jobs = new LiveJobs({ clock, batcher, quarantine: recovery.quarantine, tally });
  const random = options.random ?? Math.random;
  const admission = new Admission({ config, batcher, pool, estimate, jobs, random });
  const { awake = clock } = options;
  return {
    clock,
    awake,
    config,
    plan,
    tally,
    batcher,
    pool,
    estimate,
    recovery,
    jobs,
    admission,
  };
}
