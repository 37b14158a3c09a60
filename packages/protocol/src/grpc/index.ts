export { type CodecLimits, DEFAULT_CODEC_LIMITS } from "./codec-limits.ts";
export type { InferParameterValue } from "./infer-parameters.ts";
export {
  decodeModelInferRequest,
  encodeModelInferResponse,
  encodeModelStreamInferResponse,
} from "./model-infer.ts";
export { peekRequestId } from "./peek-id.ts";
export { type NamedModel, peekModel } from "./peek-model.ts";
export {
  decodePredictRequest,
  encodePredictionResult,
  type PredictionError,
  type PredictionTimings,
} from "./predict.ts";
export type { Receiver, RequestPlaces, WireRequest } from "./request-draft.ts";
export { encodeTypedInferResponse, encodeTypedStreamInferResponse } from "./typed-response.ts";
export type { WireResponse } from "./wire-response.ts";
export type { LateWork, WireTensor } from "./wire-tensor.ts";
export type { Copy, Target } from "./wire-writer.ts";
