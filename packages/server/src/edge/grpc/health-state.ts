/** How `grpc.health.v1` names a state. */
export type HealthState = "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";
