import {
  decodeModelInferRequest,
  decodePredictRequest,
  encodeModelInferResponse,
  encodePredictionResult,
} from "@sconce/protocol/grpc";
import { STAGES, stageMs, type Timeline } from "../../base/timeline.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import type { Dialect } from "./run-inference.ts";

/** Every byte of the block is written by the encoder, so it need not be zeroed. */
export function allocate(size: number): Uint8Array {
  return Buffer.allocUnsafe(size);
}

/** Open Inference Protocol v2. */
export function oipDialect(limits: GrpcLimits): Dialect {
  return {
    decode: (bytes) => decodeModelInferRequest(bytes, limits.codec),
    encode: (response) => encodeModelInferResponse(response, allocate),
  };
}

/** sconce.v1: answers carry their timings. */
export function predictDialect(limits: GrpcLimits): Dialect {
  return {
    decode: (bytes) => decodePredictRequest(bytes, limits.codec),
    encode: (response, timeline) =>
      encodePredictionResult(response, { timings: timings(timeline) }, allocate),
  };
}

/** The stages up to the answer; encoding is not over yet. */
function timings(timeline: Timeline): number[] {
  return STAGES.filter((stage) => stage !== "encode").map((stage) => stageMs(timeline, stage));
}
