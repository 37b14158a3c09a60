import type { ServerConfig } from "../config/server-options.ts";
import { DEFAULT_GRPC_LIMITS, type GrpcLimits } from "../edge/grpc/grpc-limits.ts";
import { DEFAULT_LISTENER_LIMITS, type ListenerLimits } from "../edge/listener.ts";
import { DEFAULT_REST_LIMITS, type RestLimits } from "../edge/rest-limits.ts";
import { MAX_REGIONS, REGION_DESCRIPTORS } from "../edge/shared-memory.ts";
import { openFileLimit } from "./open-file-limit.ts";

/** When a silent gRPC connection is pinged, as a share of the time after which it is given up. */
const PING_SHARE = 3 / 5;
/** Ten probes, one a second: libuv asks the system for that. */
const TCP_PROBES_MS = 10_000;
const LEAST_PROBE_AFTER_MS = 1000;
/** Descriptors that connections may not take, of those there are: a worker takes three, and eight while it starts. */
const KEPT_DESCRIPTORS = 256;
const KEPT_DESCRIPTORS_SHARE = 1 / 4;

export function listenerLimits(config: ServerConfig): ListenerLimits {
  const files = openFileLimit();
  return {
    maxConnections: config.maxConnections,
    maxConnectionsPerAddress: config.maxConnectionsPerAddress,
    maxDescriptors: files - Math.min(KEPT_DESCRIPTORS, files * KEPT_DESCRIPTORS_SHARE),
    maxHandshakes: DEFAULT_LISTENER_LIMITS.maxHandshakes,
    firstBytesTimeoutMs: Math.min(DEFAULT_LISTENER_LIMITS.firstBytesTimeoutMs, config.requestTimeoutMs),
    probeAfterMs: Math.max(LEAST_PROBE_AFTER_MS, config.peerTimeoutMs - TCP_PROBES_MS),
  };
}

/** Of the descriptors there are, shared memory that clients register takes an eighth at most. */
const REGIONS_SHARE = 1 / 8;

export function mostRegions(files: number = openFileLimit()): number {
  return Math.min(MAX_REGIONS, Math.floor((files * REGIONS_SHARE) / REGION_DESCRIPTORS));
}

export function restLimits(config: ServerConfig): Partial<RestLimits> {
  return {
    maxBodyBytes: config.maxBodyBytes,
    requestTimeoutMs: config.requestTimeoutMs,
    headersTimeoutMs: Math.min(DEFAULT_REST_LIMITS.headersTimeoutMs, config.requestTimeoutMs),
    keepAliveTimeoutMs: config.idleTimeoutMs,
  };
}

export function grpcLimits(config: ServerConfig): GrpcLimits {
  return {
    ...DEFAULT_GRPC_LIMITS,
    maxReceiveBytes: config.maxBodyBytes,
    maxSendBytes: config.maxBodyBytes,
    connectionAgeMs: config.connectionAgeMs,
    keepaliveMs: config.peerTimeoutMs * PING_SHARE,
    keepaliveTimeoutMs: config.peerTimeoutMs * (1 - PING_SHARE),
  };
}
