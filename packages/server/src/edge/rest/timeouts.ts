import type { ParameterValue } from "../../base/infer-request.ts";
import { earliestDeadline, parseTimeoutParameter } from "../../gate/deadline.ts";
import type { Exchange } from "./exchange.ts";

/**
 * When a request's answer becomes worthless: the sooner of what its headers say and the v2 parameter `timeout` (which is taken out),
 * from the time its headers came. Also aborts the exchange's signal then. Throws `invalid_argument`.
 */
export function readTimeouts(
  exchange: Exchange,
  parameters: Map<string, ParameterValue>,
): number | undefined {
  const { timeoutMs } = exchange;
  const parameter = parameters.get("timeout");
  if (timeoutMs === undefined && parameter === undefined) return undefined;
  parameters.delete("timeout");
  const deadlineMs = earliestDeadline(exchange.timeline.receivedMs, [
    timeoutMs,
    parameter === undefined ? undefined : parseTimeoutParameter(parameter),
  ]);
  if (deadlineMs !== undefined) exchange.setDeadline(deadlineMs);
  return deadlineMs;
}
