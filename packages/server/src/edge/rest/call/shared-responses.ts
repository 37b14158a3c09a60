import type { Clock } from "../../../base/clock.ts";
import type { Metrics } from "../../../base/metrics.ts";
import { openMetrics } from "../../../base/open-metrics.ts";
import type { Inference } from "../../../infer/inference.ts";
import { createSharedResponse, type SharedResponse } from "../../shared-response.ts";
import { statisticsDocument } from "../../statistics-document.ts";
import { SharedBody } from "./shared-body.ts";

/** Answers about all models: they cost the more, the more models there are, and whoever asks may have the same one. */
export interface SharedResponses {
  readonly metrics: SharedResponse<SharedBody>;
  readonly openMetrics: SharedResponse<SharedBody>;
  readonly index: SharedResponse<SharedBody>;
  readonly readyIndex: SharedResponse<SharedBody>;
  readonly modelNames: SharedResponse<SharedBody>;
  readonly statistics: SharedResponse<SharedBody>;
  /** Of the models that serve, in order. */
  readonly servedNames: SharedResponse<readonly string[]>;
}

export function createSharedResponses(parts: {
  readonly inference: Inference;
  readonly metrics: Metrics;
  readonly clock: Clock;
}): SharedResponses {
  const { inference, metrics, clock } = parts;
  const share = (make: () => string | Promise<string>): SharedResponse<SharedBody> =>
    createSharedResponse(async () => new SharedBody(await make()), clock);
  const index = (onlyReady: boolean): string => {
    const entries = inference.index().filter(({ state }) => !onlyReady || state === "READY");
    return JSON.stringify(
      entries.map(({ name, version, state, reason }) => ({ name, version, state, reason })),
    );
  };
  return {
    metrics: share(() => metrics.render()),
    openMetrics: share(async () => openMetrics(await metrics.render({ exemplars: true }))),
    index: share(() => index(false)),
    readyIndex: share(() => index(true)),
    modelNames: share(() =>
      JSON.stringify({ models: [...new Set(inference.index().map(({ name }) => name))] }),
    ),
    servedNames: createSharedResponse(async () => {
      const served = inference.index().filter(({ state }) => state === "READY");
      return [...new Set(served.map(({ name }) => name))].sort();
    }, clock),
    statistics: share(() => countersJson(statisticsDocument(inference.modelStatistics()))),
  };
}

/** Counters are sums of doubles, so writing them as JSON numbers loses nothing, whatever their size. */
export function countersJson(document: object): string {
  return JSON.stringify(document, (_key, value: unknown) =>
    typeof value === "bigint" ? Number(value) : value,
  );
}
