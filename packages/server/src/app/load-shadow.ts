import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Signature } from "../base/signature.ts";
import type { ShadowSettings } from "../config/shadow-settings.ts";
import { SHADOW_RESULTS, ShadowComparisons } from "../infer/shadow/shadow-comparisons.ts";
import { createShadowedModel } from "../infer/shadow/shadowed-model.ts";
import type { LoadLimit } from "../models/load-limit.ts";
import { createServedModel } from "../models/served-model.ts";
import type { ServedModelHandle } from "../models/served-model-handle.ts";
import { completeQueueConfig } from "../queue/queue-config.ts";
import { createScheduler } from "../queue/scheduler.ts";
import type { LoadedModel, LoadSpec, Runtime } from "../runtime/runtime.ts";

export interface ShadowParts {
  readonly runtime: Runtime;
  readonly settings: ShadowSettings;
  /** What the model itself was loaded from. */
  readonly spec: LoadSpec;
  /** Lets few references load at once. */
  readonly limit: LoadLimit;
  readonly clock: Clock;
  readonly activeClock: Clock;
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** The model with a share of its answers compared with PyTorch's. It answers at once; PyTorch's own is loaded beside it, or the log says why not. */
export function loadShadow(served: ServedModelHandle, parts: ShadowParts): ServedModelHandle {
  const { settings, limit, logger, metrics, clock, random } = parts;
  const { runtime, signature } = served.description;
  if (runtime !== "onnx") {
    logger.warn({}, "shadow has no effect: the model is not translated");
    return served;
  }
  const labels = { model: served.name, version: served.version };
  const counters = Object.fromEntries(
    SHADOW_RESULTS.map((result) => [
      result,
      metrics.counter("sconce_shadow_comparisons_total", "Answers compared with PyTorch's, by result.", {
        ...labels,
        result,
      }),
    ]),
  );
  const largest = metrics.gauge(
    "sconce_shadow_largest_difference",
    "The largest difference from PyTorch's answers since the model was loaded.",
    labels,
  );
  largest.set(0);
  const comparisons = new ShadowComparisons({
    signature,
    whose: "PyTorch's",
    tolerance: settings.tolerance,
    clock,
    logger,
    defer: setImmediate,
    onEnd: (result) => counters[result]!.add(1),
    onLargest: (difference) => largest.set(difference),
  });
  const ending = new AbortController();
  limit
    .run(ending.signal, () => loadReference(parts, { signature, signal: ending.signal }))
    .then(
      (reference) => {
        comparisons.open(reference);
        logger.info({ share: settings.share }, "a share of the answers is compared with PyTorch's");
      },
      (error: unknown) => {
        if (ending.signal.aborted) return;
        logger.warn(
          { err: error },
          `nothing is compared with PyTorch's answers: ${ServeError.from(error).message}`,
        );
      },
    );
  return createShadowedModel(served, {
    share: settings.share,
    random,
    comparisons,
    onEnd: () => ending.abort(),
  });
}

/** Rejects as `Runtime.load` does, and when what PyTorch has differs in kind. */
async function loadReference(
  { runtime, spec, clock, activeClock, random, logger }: ShadowParts,
  { signature, signal }: { readonly signature: Signature; readonly signal: AbortSignal },
): Promise<ServedModelHandle> {
  const { version } = spec;
  const name = `${spec.name} (shadow)`;
  const loaded = await runtime.load({ ...spec, name, options: backgroundOptions(spec) }, { signal });
  try {
    requireAlike(loaded, signature);
    const queue = completeQueueConfig({}, loaded.description.signature, 1);
    return createServedModel({
      name,
      version,
      loaded,
      logger: logger.child({ model: name }),
      settings: {
        ...queue,
        executionTimeoutMs: spec.options.executionTimeoutMs,
        loadTimeoutMs: spec.options.loadTimeoutMs,
        instances: 1,
        cached: false,
      },
      wallNowMs: Date.now,
      createQueue: (parts) =>
        createScheduler({ ...parts, config: queue, clock, activeClock, random, defer: setImmediate }),
    });
  } catch (error) {
    loaded.destroy("it cannot be compared");
    throw error;
  }
}

/** As the file is: what changes the answers on purpose is what the comparison shows. */
function backgroundOptions({ options }: LoadSpec): LoadSpec["options"] {
  return {
    ...options,
    runtime: "python",
    instances: 1,
    threadsPerInstance: 1,
    isolation: "process",
    precision: "float32",
    isBackground: true,
    mayAsk: {},
  };
}

function requireAlike({ description }: LoadedModel, signature: Signature): void {
  for (const ports of ["inputs", "outputs"] as const) {
    const [own, others] = [signature[ports], description.signature[ports]].map((specs) =>
      specs.map(({ datatype }) => datatype).join(", "),
    );
    if (own !== others)
      throw new ServeError("failed_precondition", `its ${ports} are ${own}, and PyTorch's ${others}`, {
        reason: "model_refused",
      });
  }
}
