/** How much structure one gRPC message may have. The message's size is limited where it is received. */
export interface CodecLimits {
  /** Inputs and requested outputs together. */
  readonly maxTensors: number;
  readonly maxDims: number;
  readonly maxParameters: number;
  /** Bytes of a name, an id, a version, or a parameter's text. */
  readonly maxTextBytes: number;
  /** Bytes of one element of a BYTES tensor. */
  readonly maxElementBytes: number;
}

export const DEFAULT_CODEC_LIMITS: CodecLimits = {
  maxTensors: 256,
  maxDims: 16,
  maxParameters: 64,
  maxTextBytes: 4096,
  maxElementBytes: 1024 * 1024,
};
