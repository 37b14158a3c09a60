import type { ModelDescription, OwnSettings } from "../base/model-description.ts";
import type { ModelCaps } from "../config/model-caps.ts";
import { MODEL_OPTIONS } from "../config/model-options.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";
import type { QueueConfig } from "../queue/queue-config.ts";

/** What the model's settings leave to the model's own file, and how much of it that may ask for. */
export function mayAsk({ settings }: ModelCandidate, caps: ModelCaps): OwnSettings {
  const said = settings?.values ?? {};
  return {
    ...(said["instances"] === undefined && { instances: caps.instances }),
    ...(said["execution_timeout"] === undefined && { executionTimeoutMs: caps.timeoutMs }),
    ...(said["max_queue_size"] === undefined && { maxQueueSize: MODEL_OPTIONS.maxQueueSize.max }),
    ...(said["max_queue_delay"] === undefined && { maxQueueDelayMs: MODEL_OPTIONS.maxQueueDelayMs.max }),
  };
}

/** What the model's file says of its queue, where it may. */
export function ownQueueSettings(
  { asks, runsAtOnce }: ModelDescription,
  candidate: ModelCandidate,
  caps: ModelCaps,
): Partial<QueueConfig> {
  const most = mayAsk(candidate, caps);
  const least = (key: "maxQueueDelayMs" | "maxQueueSize"): Partial<QueueConfig> => {
    const [asked, allowed] = [asks?.[key], most[key]];
    return asked === undefined || allowed === undefined ? {} : { [key]: Math.min(asked, allowed) };
  };
  return {
    ...least("maxQueueDelayMs"),
    ...least("maxQueueSize"),
    ...(runsAtOnce !== undefined && { pipelineDepth: runsAtOnce }),
  };
}

/** How long a run may take by the model's file; undefined: it does not say, or may not. */
export function ownExecutionTimeoutMs(
  { asks }: ModelDescription,
  candidate: ModelCandidate,
  caps: ModelCaps,
): number | undefined {
  const most = mayAsk(candidate, caps).executionTimeoutMs;
  const asked = asks?.executionTimeoutMs;
  return asked === undefined || most === undefined ? undefined : Math.min(asked, most);
}
