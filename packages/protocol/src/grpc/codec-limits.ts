import { MAX_ID_BYTES } from "../request-id.ts";

/** How much structure one gRPC message may have. The message's size is limited where it is received. */
export interface CodecLimits {
  /** Inputs and requested outputs together. */
  readonly maxTensors: number;
  readonly maxDims: number;
  readonly maxParameters: number;
  /** Bytes of a name, a version, or a parameter's text. */
  readonly maxTextBytes: number;
  readonly maxIdBytes: number;
  /** Bytes of one element of a BYTES tensor. */
  readonly maxElementBytes: number;
}

/** The limits of a server that was told no others. */
export const DEFAULT_CODEC_LIMITS: CodecLimits = {
  maxTensors: 256,
  maxDims: 16,
  maxParameters: 64,
  maxTextBytes: 4096,
  maxIdBytes: MAX_ID_BYTES,
  maxElementBytes: 1024 * 1024,
};
