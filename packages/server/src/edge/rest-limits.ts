/** What one request may cost. Each is tested at its border. */
export interface RestLimits {
  /** Bytes of a request's body, after decompression. */
  readonly maxBodyBytes: number;
  /** A compressed body may not grow by more than this factor (past the first MiB, where small texts compress well). */
  readonly maxInflateRatio: number;
  /** Pieces that a body may arrive in: a million one-byte chunks cost more than their bytes. */
  readonly maxBodyChunks: number;
  /** Bytes of the request line and headers together. */
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  readonly maxUrlBytes: number;
  readonly maxJsonDepth: number;
  /** Bytes of a JSON body outside tensor data: names, shapes, parameters. */
  readonly maxEnvelopeBytes: number;
  /** Inputs and requested outputs together. */
  readonly maxTensors: number;
  readonly maxDims: number;
  /** Bytes of one element of a BYTES tensor. */
  readonly maxElementBytes: number;
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the last of its body. */
  readonly requestTimeoutMs: number;
  /** How long a client may leave a response unread, without taking a byte. */
  readonly writeIdleTimeoutMs: number;
  /** How long an idle connection stays open. */
  readonly keepAliveTimeoutMs: number;
  /** Responses smaller than this are never compressed. */
  readonly minCompressBytes: number;
}

export const DEFAULT_REST_LIMITS: RestLimits = {
  maxBodyBytes: 64 * 1024 * 1024,
  maxInflateRatio: 100,
  maxBodyChunks: 65_536,
  maxHeaderBytes: 16 * 1024,
  maxHeaders: 64,
  maxUrlBytes: 2048,
  maxJsonDepth: 64,
  maxEnvelopeBytes: 256 * 1024,
  maxTensors: 256,
  maxDims: 16,
  maxElementBytes: 1024 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  writeIdleTimeoutMs: 30_000,
  keepAliveTimeoutMs: 65_000,
  minCompressBytes: 8 * 1024,
};
