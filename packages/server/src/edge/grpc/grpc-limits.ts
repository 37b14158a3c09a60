import type { ServerSessionOptions } from "node:http2";
import { type CodecLimits, DEFAULT_CODEC_LIMITS } from "@sconce/protocol/grpc";

const MIB = 1024 * 1024;

/** Every bound of the gRPC edge. Node leaves most of them off, or wide, by default. */
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
  /** What a call's client may send before this process has read it. */
  readonly windowBytes: number;
  readonly maxFrameBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaderPairs: number;
  /** Requests of one stream (ModelStreamInfer, StreamPredict) in flight at once; further ones stay unread. */
  readonly maxInFlightPerStream: number;
  /** Malformed frames, and calls over `maxStreams`, that a connection may send before it is closed. */
  readonly maxInvalidFrames: number;
  readonly maxRejectedStreams: number;
  /** Calls that a client may leave unanswered: so many at once, and so many a second. On Node 20 the HTTP/2 library allows 33 a second. */
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
  /** Pings and settings of a client: so many at once and so many a second, and one more for each piece of a message. */
  readonly controlFrameBurst: number;
  readonly controlFrameRate: number;
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
  windowBytes: 65_535,
  maxFrameBytes: 16_384,
  maxHeaderBytes: 16 * 1024,
  maxHeaderPairs: 64,
  maxInFlightPerStream: 64,
  maxInvalidFrames: 100,
  maxRejectedStreams: 100,
  streamResetBurst: 500,
  streamResetRate: 200,
  controlFrameBurst: 1000,
  controlFrameRate: 50,
  maxOutstandingPings: 10,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 20_000,
  connectionAgeMs: 300_000,
  connectionAgeGraceMs: 30_000,
  codec: DEFAULT_CODEC_LIMITS,
};

/** The limits that `node:http2` keeps for us. */
export function sessionOptions(limits: GrpcLimits): ServerSessionOptions {
  // The library would only stop reading; we cut the connection before that. It counts resets of calls that were answered, too.
  const resets = { streamResetBurst: 2 * limits.streamResetBurst, streamResetRate: limits.streamResetRate };
  return {
    ...resets,
    maxSessionMemory: limits.sessionMemoryMib,
    maxHeaderListPairs: limits.maxHeaderPairs,
    maxOutstandingPings: limits.maxOutstandingPings,
    maxSessionInvalidFrames: limits.maxInvalidFrames,
    maxSessionRejectedStreams: limits.maxRejectedStreams,
    settings: {
      enablePush: false,
      initialWindowSize: limits.windowBytes,
      maxFrameSize: limits.maxFrameBytes,
      maxConcurrentStreams: limits.maxStreams,
      maxHeaderListSize: limits.maxHeaderBytes,
    },
  };
}
