import { randomNumbers } from "../trial-inputs.ts";
import type { Point, RunOutcome } from "./search.ts";

/** A service curve: what a model would do on a machine that does not exist. */
export interface SimulatedModel {
  readonly cores: number;
  /** Milliseconds of a run: fixed, and for each row. */
  readonly runMs: number;
  readonly rowMs: number;
  /** Share of a run that threads divide among them. */
  readonly parallel: number;
  readonly isBatching: boolean;
  /** Clients that always have a request under way. */
  readonly clients: number;
  readonly limitMs: number;
  /** By how much a measurement may be off. */
  readonly noise: number;
}

/** What the curve says, without noise: queueing in a closed loop, by Little's law. */
export function simulated(model: SimulatedModel, point: Point): RunOutcome {
  const { cores, runMs, rowMs, parallel, clients, limitMs } = model;
  const instances = Number(point["instances"]);
  const threads =
    point["threads"] === "auto" ? Math.max(1, Math.floor(cores / instances)) : Number(point["threads"]);
  const most = model.isBatching ? Number(point["maxBatchSize"]) : 1;
  const delayMs = model.isBatching ? Number(point["maxQueueDelayMs"]) : 0;
  const rows = Math.max(1, Math.min(most, clients / instances));
  const crowd = Math.max(1, (instances * threads) / cores);
  const speed = 1 / (1 - parallel + parallel / threads);
  const precision = { float32: 1, float16: 1.1, int8: 0.6, int4: 0.9 }[String(point["precision"])] ?? 1;
  const memory = point["memory"] === "shared" ? 1.15 : 1;
  const serviceMs = ((runMs + rowMs * rows) * precision * memory * crowd) / speed + delayMs;
  const perSecond = (1000 * instances * rows) / serviceMs;
  const p99 = (clients / perSecond) * 1000 * 1.2;
  const excess = p99 / limitMs;
  return { meets: excess <= 1, score: perSecond, excess };
}

/** Measures the curve with noise, the same for the same seed. */
export function noisy(model: SimulatedModel, seed: number): (point: Point) => Promise<RunOutcome> {
  const next = randomNumbers(seed);
  return async (point) => {
    const { score, excess } = simulated(model, point);
    const factor = 1 + model.noise * (2 * next() - 1);
    return { meets: excess / factor <= 1, score: score * factor, excess: excess / factor };
  };
}
