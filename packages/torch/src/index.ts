export type { ByteSource, Platform } from "./byte-source.ts";
export type { NodePlace } from "./code-place.ts";
export { DTYPES, type DType } from "./dtype.ts";
export { ModelFileError, type ModelFileErrorKind } from "./errors.ts";
export type { GuardCondition, Port, SampleTensor, SizeGuard, SymbolicDim } from "./graph/port.ts";
export { type CoreOp, coreOps, randomOps, type SupportedOp, supportedOps } from "./lower/supported-ops.ts";
export { decodeModel } from "./onnx/decode.ts";
export { encodeModel, encodeModelParts } from "./onnx/encode.ts";
export { indexBounds } from "./onnx/index-bounds.ts";
export { inputFault } from "./onnx/input-fault.ts";
export type { ExternalData, OnnxGraph, OnnxModel, OnnxNode, ReadExternal } from "./onnx/model.ts";
export {
  externalizeWeights,
  inlineSmallWeights,
  inlineWeights,
  type PlacedWeight,
  weightBytes,
} from "./onnx/place-weights.ts";
export { type OnnxScan, scanOnnx } from "./onnx/scan-model.ts";
export {
  type CalibrationModel,
  type CalibrationOptions,
  calibrationModel,
} from "./quantize/calibration-model.ts";
export type { LeftWeight } from "./quantize/left-weights.ts";
export { precisionNote } from "./quantize/precision-note.ts";
export { quantizeModel } from "./quantize/quantize-model.ts";
export type { QuantizedModel, QuantizedPrecision, QuantizeOptions } from "./quantize/quantize-options.ts";
export { opsOf, quantizedOps } from "./quantize/quantized-ops.ts";
export { modelRowMixing, onnxRowMixing } from "./quantize/row-mixing.ts";
export { quantizeStatic, type ValueRange } from "./quantize/static-int8.ts";
export { ValueHistogram } from "./quantize/value-histogram.ts";
export { MissingInputs } from "./torchscript/missing-inputs.ts";
export { parseScriptInput, type ScriptInput } from "./torchscript/script-inputs.ts";
export { exposedValue } from "./translate/exposed-values.ts";
export { summarizeFile } from "./translate/summarize-file.ts";
export { translate } from "./translate/translate.ts";
export { type ModelTranslation, translateModel } from "./translate/translate-model.ts";
export type {
  PortNaming,
  ProgramNames,
  TranslateOptions,
  WeightsSource,
} from "./translate/translate-options.ts";
export type { ModelSummary, SummaryPort, Translation, TranslationReport } from "./translate/translation.ts";
