import { create, toBinary } from "@bufbuild/protobuf";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from "@sconce/protocol/messages";
import type { HealthState } from "./health-state.ts";
import { decodeMessage } from "./server-handlers.ts";

/** The service that a HealthCheckRequest asks about. Throws `invalid_argument`. */
export function decodeCheck(bytes: Uint8Array): string {
  return decodeMessage(HealthCheckRequestSchema, bytes).service;
}

export function encodeCheck(state: HealthState): Uint8Array {
  return toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status: Serving[state] }));
}

export function encodeList(states: ReadonlyMap<string, HealthState>): Uint8Array {
  const statuses = Object.fromEntries(
    [...states].map(([name, state]) => [name, create(HealthCheckResponseSchema, { status: Serving[state] })]),
  );
  return toBinary(HealthListResponseSchema, create(HealthListResponseSchema, { statuses }));
}
