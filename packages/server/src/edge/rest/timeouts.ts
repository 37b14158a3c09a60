import type { ParameterValue } from "../../base/infer-request.ts";
import { earliestDeadline, parseTimeoutParameter } from "../../gate/deadline.ts";
import type { RestCall } from "./rest-call.ts";

/**
 * When a request's response becomes worthless: the sooner of what its headers say and the v2 parameter `timeout` (which is taken out),
 * from the time its headers came. Also aborts the call's signal then. Throws `invalid_argument`.
 */
export function readTimeouts(call: RestCall, parameters: Map<string, ParameterValue>): number | undefined {
  const { timeoutMs } = call;
  const parameter = parameters.get("timeout");
  if (timeoutMs === undefined && parameter === undefined) return undefined;
  parameters.delete("timeout");
  const deadlineMs = earliestDeadline(call.timeline.receivedMs, [
    timeoutMs,
    parameter === undefined ? undefined : parseTimeoutParameter(parameter),
  ]);
  if (deadlineMs !== undefined) call.setDeadline(deadlineMs);
  return deadlineMs;
}
