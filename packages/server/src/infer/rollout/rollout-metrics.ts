import type { Counter, Gauge, Metrics } from "../../base/metrics.ts";
import { SHADOW_RESULTS, type ShadowResult } from "../shadow/shadow-comparisons.ts";

/** How a request of a rollout ended; `replaced`: the new version failed, and the old one answered. */
const RESULTS = ["ok", "failed", "replaced"] as const;
export type RolloutResult = (typeof RESULTS)[number];

/** What is counted of the rollout of one version. */
export interface RolloutMetrics {
  /** By the version that was asked first. */
  requests(version: string): Readonly<Record<RolloutResult, Counter>>;
  readonly compared: Readonly<Record<ShadowResult, Counter>>;
  /** Of the requests, that go to the new version. */
  readonly share: Gauge;
  /** Counts rollouts by how they ended: `promoted`, or the reason of a roll-back. */
  ended(how: string): void;
}

export function createRolloutMetrics(metrics: Metrics, model: string, version: string): RolloutMetrics {
  const of = <Word extends string>(words: readonly Word[], make: (word: Word) => Counter) =>
    Object.fromEntries(words.map((word) => [word, make(word)])) as Record<Word, Counter>;
  return {
    requests: (asked) =>
      of(RESULTS, (result) =>
        metrics.counter("sconce_rollout_requests_total", "Requests during rollouts, by the version asked.", {
          model,
          version: asked,
          result,
        }),
      ),
    compared: of(SHADOW_RESULTS, (result) =>
      metrics.counter("sconce_rollout_comparisons_total", "Answers of both versions compared, by result.", {
        model,
        version,
        result,
      }),
    ),
    share: metrics.gauge(
      "sconce_rollout_share",
      "Part of the requests that goes to the version being rolled out.",
      { model, version },
    ),
    ended: (outcome) =>
      metrics
        .counter("sconce_rollouts_total", "Rollouts that ended, by how.", { model, version, outcome })
        .add(1),
  };
}
