import { systemClock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { createPrometheusMetrics } from "../../base/prometheus-metrics.ts";
import { createAdminGate } from "../../gate/admin-gate.ts";
import { type ByteBudget, createByteBudget } from "../../gate/byte-budget.ts";
import { createSlowClientGuard } from "../../gate/slow-client-guard.ts";
import type { Inference } from "../../infer/inference.ts";
import { createInferenceObserver } from "../inference-metrics.ts";
import { createRestEdge, type RestEdge, type RestEdgeOptions } from "./rest-edge.ts";

/** A logger that keeps what it is told. */
export interface KeptLog extends Logger {
  readonly errors: object[];
}

function keptLog(): KeptLog {
  const errors: object[] = [];
  const log: KeptLog = {
    errors,
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (fields) => errors.push(fields),
    child: () => log,
  };
  return log;
}

export interface TestEdge {
  readonly edge: RestEdge;
  readonly log: KeptLog;
  readonly budget: ByteBudget;
}

/** A REST edge over `inference`. */
export function openEdge(inference: Inference, options: Partial<RestEdgeOptions> = {}): TestEdge {
  const log = keptLog();
  const budget = options.budget ?? createByteBudget({ maxBytes: 256 * 1024 * 1024, maxRequests: 1000 });
  const metrics = createPrometheusMetrics();
  const edge = createRestEdge({
    inference,
    administration: {
      loadModel: async () => {},
      unloadModel: async () => {},
      steerRollout: async () => {},
      setDefaultVersion: () => {},
    },
    adminGate: createAdminGate({ isOn: false, token: undefined }),
    clock: systemClock,
    slowClients: createSlowClientGuard(systemClock),
    logger: log,
    metrics,
    observer: createInferenceObserver(metrics, () => false),
    makeId: () => "made-id",
    random: () => 0.5,
    ...options,
    budget,
  });
  return { edge, log, budget };
}
