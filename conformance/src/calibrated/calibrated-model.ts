/** A model whose capacity is arithmetic: a run of k rows takes `sleepMs` + k × `perRowMs`, whatever the machine. */
export interface CalibratedModel {
  /** Bytes per row. Input `x` is UINT8 [batch, width]; output `y` repeats it, output `tag` is INT64 [batch, 1]. */
  readonly width: number;
  /** Bytes per row of `y`, where it is wider than `x`: the row over and over. 0: as wide as `x`. */
  readonly answerWidth: number;
  readonly sleepMs: number;
  readonly perRowMs: number;
  /** Compute instead of sleeping. */
  readonly isBusy: boolean;
  /** How long loading takes. */
  readonly loadMs: number;
  /** Memory that every run keeps. */
  readonly leakBytes: number;
  /** False: the batch dimension is fixed at 1. */
  readonly isBatching: boolean;
  /** The worker dies while it loads. */
  readonly diesAtLoad: boolean;
  /** The worker dies while it loads, once this file exists; empty: it does not. */
  readonly fuse: string;
  /** Repeated in every row of the answer: tells versions apart. */
  readonly tag: number;
  /** A file to which its workers write what they do (see `Journal`); empty: none. */
  readonly journal: string;
}

/** The first byte of a row that makes the worker misbehave; all others are harmless. */
export const POISON = {
  throw: 0xf0,
  wrongShape: 0xf1,
  segfault: 0xf2,
  abort: 0xf3,
  hang: 0xf4,
  /** Allocates until it is stopped. */
  allocate: 0xf5,
  exit: 0xf6,
} as const;

const DEFAULTS: CalibratedModel = {
  width: 16,
  answerWidth: 0,
  sleepMs: 0,
  perRowMs: 0,
  isBusy: false,
  loadMs: 0,
  leakBytes: 0,
  isBatching: true,
  diesAtLoad: false,
  fuse: "",
  tag: 0,
  journal: "",
};

/**
 * A model file: an ONNX ModelProto whose `producer_name` (field 2) is the description as JSON, so that the server's repository takes it for
 * what it is served as.
 */
export function encodeCalibratedModel(model: Partial<CalibratedModel>): Uint8Array {
  const json = Buffer.from(JSON.stringify({ ...DEFAULTS, ...model }), "utf8");
  const length = [(json.byteLength & 0x7f) | 0x80, json.byteLength >> 7];
  return Buffer.concat([Uint8Array.from([0x08, 0x0a, 0x12, ...length]), json]);
}

export function decodeCalibratedModel(bytes: Uint8Array): CalibratedModel {
  return {
    ...DEFAULTS,
    ...(JSON.parse(Buffer.from(bytes.subarray(5)).toString("utf8")) as Partial<CalibratedModel>),
  };
}
