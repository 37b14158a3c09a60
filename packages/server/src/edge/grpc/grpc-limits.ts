import type { ServerOptions as Http2Options } from "node:http2";
import type { ChannelOptions } from "@grpc/grpc-js";
import { type CodecLimits, DEFAULT_CODEC_LIMITS } from "@sconce/protocol/grpc";

const MIB = 1024 * 1024;

/** Every bound of the gRPC edge. grpc-js leaves most of them off by default. */
export interface GrpcLimits {
  /** One message, after decompression. */
  readonly maxReceiveBytes: number;
  /** A compressed message may not grow by more than this factor (past the first MiB). */
  readonly maxInflateRatio: number;
  readonly maxSendBytes: number;
  /** Calls open at once on one connection. */
  readonly maxStreams: number;
  /** Memory of one connection in whole MiB: buffered headers and unsent data. Past it new calls are rejected. */
  readonly sessionMemoryMib: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaderPairs: number;
  /** Requests of one stream (ModelStreamInfer, StreamPredict) in flight at once; further ones stay unread. */
  readonly maxInFlightPerStream: number;
  /** Malformed frames, and calls over `maxStreams`, that a connection may send before it is closed. */
  readonly maxInvalidFrames: number;
  readonly maxRejectedStreams: number;
  /** Stream resets: so many at once, and so many a second. Node 20 cannot set them: there the library's own 1000 and 33 hold. */
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
  readonly maxOutstandingPings: number;
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A connection is asked to leave (GOAWAY) after this time ± 10 %, so that clients spread over new replicas. */
  readonly connectionAgeMs: number;
  readonly connectionAgeGraceMs: number;
  readonly codec: CodecLimits;
}

export const DEFAULT_GRPC_LIMITS: GrpcLimits = {
  maxReceiveBytes: 64 * MIB,
  maxInflateRatio: 100,
  maxSendBytes: 64 * MIB,
  maxStreams: 100,
  sessionMemoryMib: 32,
  maxHeaderBytes: 16 * 1024,
  maxHeaderPairs: 64,
  maxInFlightPerStream: 64,
  maxInvalidFrames: 100,
  maxRejectedStreams: 100,
  streamResetBurst: 1000,
  streamResetRate: 200,
  maxOutstandingPings: 10,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 20_000,
  connectionAgeMs: 300_000,
  connectionAgeGraceMs: 30_000,
  codec: DEFAULT_CODEC_LIMITS,
};

/** The limits that grpc-js has options for. Channelz is off: it would count every message and serve nobody. */
export function channelOptions(limits: GrpcLimits): ChannelOptions {
  return {
    "grpc.max_receive_message_length": limits.maxReceiveBytes,
    "grpc.max_send_message_length": limits.maxSendBytes,
    "grpc.max_concurrent_streams": limits.maxStreams,
    "grpc-node.max_session_memory": limits.sessionMemoryMib,
    "grpc.keepalive_time_ms": limits.keepaliveMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
    "grpc.max_connection_age_ms": limits.connectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.connectionAgeGraceMs,
    "grpc.default_compression_algorithm": 0,
    "grpc.enable_channelz": 0,
  };
}

/** The limits that only `node:http2` has. */
export function http2Options(limits: GrpcLimits): Http2Options {
  const resets = { streamResetBurst: limits.streamResetBurst, streamResetRate: limits.streamResetRate };
  return {
    ...resets,
    maxSessionMemory: limits.sessionMemoryMib,
    maxHeaderListPairs: limits.maxHeaderPairs,
    maxOutstandingPings: limits.maxOutstandingPings,
    maxSessionInvalidFrames: limits.maxInvalidFrames,
    maxSessionRejectedStreams: limits.maxRejectedStreams,
    settings: { maxConcurrentStreams: limits.maxStreams, maxHeaderListSize: limits.maxHeaderBytes },
  };
}
