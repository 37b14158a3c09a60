export { type CodecLimits, DEFAULT_CODEC_LIMITS } from "./codec-limits.ts";
export type { InferParameterValue } from "./infer-parameters.ts";
export {
  decodeModelInferRequest,
  encodeModelInferResponse,
  encodeModelStreamInferResponse,
  type WireRequest,
  type WireResponse,
} from "./model-infer.ts";
export { peekRequestId } from "./peek-id.ts";
export {
  decodePredictRequest,
  encodePredictionResult,
  type PredictionError,
  type PredictionTimings,
} from "./predict.ts";
export type { LateWork } from "./wire-tensor.ts";
export type { Copy, Target } from "./wire-writer.ts";
