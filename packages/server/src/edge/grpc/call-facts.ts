import type { TracedCall } from "../../base/request-trace.ts";
import { routeKeyOf } from "../../gate/tenant.ts";
import type { GrpcCall } from "./grpc-call.ts";
import type { InferenceDeps } from "./inquiry.ts";

/** What the trace of a message begins with. */
export function tracedCall(call: GrpcCall): TracedCall {
  const { path, requestId } = call;
  return {
    protocol: "grpc",
    method: path,
    url: path,
    params: NO_PARAMS,
    requestId,
    tracestate: call.header("tracestate"),
  };
}

const NO_PARAMS: TracedCall["params"] = {};

/** What a call's metadata says of whose requests it carries. */
export function tenantOf({ tenantHeader }: InferenceDeps, call: GrpcCall): string | undefined {
  if (call.caller !== undefined) return call.caller.tenant;
  return tenantHeader === undefined ? undefined : call.header(tenantHeader);
}

/** What a call's metadata says of which version of a rollout its requests go to. */
export function routeKeyOfCall({ rolloutHeader }: InferenceDeps, call: GrpcCall): string | undefined {
  return rolloutHeader === undefined ? undefined : routeKeyOf(call.header(rolloutHeader));
}
