import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { WorkerPool } from "../../worker/worker-pool.ts";
import { WorkerProcess } from "../../worker/worker-process.ts";
import { WorkerThread } from "../../worker/worker-thread.ts";
import type { Runtime } from "../runtime.ts";
import { WorkerRuntime } from "../worker-runtime.ts";

export interface OnnxRuntimeOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1); spreads restarts. */
  readonly random: () => number;
  /** Worker processes kept started ahead, ONNX Runtime already in memory (about 60 MB each). */
  readonly spares: number;
  /** The whole environment of the workers; see `workerEnv`. Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
}

const ENTRY = new URL("./worker-main.js", import.meta.url);
const START_TIMEOUT_MS = 30_000;

/** Runs `.onnx`, `.pt2` and TorchScript files with ONNX Runtime in worker processes. Spares begin to start at once. */
export function createOnnxRuntime(options: OnnxRuntimeOptions): Runtime {
  const { clock, logger, random, spares, env = {} } = options;
  const common = { entry: ENTRY, env, clock, logger };
  return new WorkerRuntime({
    name: "onnx",
    pool: new WorkerPool({
      spawn: (id) => new WorkerProcess({ ...common, id, startTimeoutMs: START_TIMEOUT_MS }),
      spares,
      clock,
      random,
      logger,
    }),
    spawnThread: (id) => new WorkerThread({ ...common, id }),
    clock,
    random,
    logger,
  });
}
